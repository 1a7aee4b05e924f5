"""How many executors a day's images need: a model, from what one core was measured to do.

The scan grows with images x protected views, all else with the images alone. So above some ten
million protected views the kernel's speed is nearly all that counts.
"""

import argparse
from dataclasses import dataclass, fields, replace

_DAY = 86_400
_ROWS = ((1e5, 1e6), (1e6, 1e8), (1e7, 1e8))
_BYTES_A_VIEW, _BYTES_AN_IMAGE = 213, 60
_MOST_PARTS, _PHOTOS_A_PART = 8, 250_000


@dataclass(frozen=True)
class Model:
    """What is assumed; see docs/spark.md for where each number is from.

    Attributes
    ----------
    images : float
        New ones a day.
    views : float
        Protected, of all photos together.
    views_a_photo : float
    probes : float
        Views of a new image x orientations x negatives, its panels included.
    scanned : float
        Share of the protected views that have a tag in common with an image.
    pairs_a_second : float
        Compared by the kernel on one core.
    image_seconds, verification_seconds : float
        Of one core, for an image beside its scan, and for a candidate.
    verified : float
        Candidates of an image whose local features are looked at.
    describe_seconds : float
        Of one core, for an image that is described by Spark too; 0 if the services do that.
    used : float
        Share of its time that a core is at work.
    groups, part_seconds : int, float
        Sets of tags that have one in common with an image, and what it costs to keep the nearest
        some hundred photos of one of them in one of the parts in which all are laid out.
    cores : int
        Of an executor.
    """

    images: float = 10e6
    views: float = 1e9
    views_a_photo: float = 6
    probes: float = 10
    scanned: float = 0.42
    pairs_a_second: float = 0.72e9
    image_seconds: float = 0.004
    verification_seconds: float = 0.0015
    verified: float = 4
    describe_seconds: float = 0.0
    groups: int = 8
    part_seconds: float = 0.005
    used: float = 0.7
    cores: int = 16

    @property
    def parts(self) -> dict[str, float]:
        """Core seconds a day by what they are for."""
        pairs = self.images * self.probes * self.views * self.scanned
        return {
            "scan": pairs / self.pairs_a_second,
            "shortlists": self.images * self._shortlists * self.part_seconds,
            "verification": self.images * self.verified * self.verification_seconds,
            "reading and noting": self.images * self.image_seconds,
            "describing": self.images * self.describe_seconds,
        }

    @property
    def _shortlists(self) -> float:
        photos = self.views / self.views_a_photo
        return self.groups * min(_MOST_PARTS, max(1.0, photos / _PHOTOS_A_PART))

    @property
    def core_seconds(self) -> float:
        """A day's, of all cores."""
        return sum(self.parts.values())

    @property
    def executors(self) -> int:
        """How many are at work all day."""
        return -(-int(self.core_seconds / self.used / _DAY + 1) // self.cores)

    @property
    def files_gb(self) -> float:
        """Of protected fingerprints, on the disk of each executor; in memory at best."""
        photos = self.views / self.views_a_photo
        return (self.views * _BYTES_A_VIEW + photos * _BYTES_AN_IMAGE) / 1e9


def main() -> None:
    """Print the table of docs/spark.md, or the row that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    for field in fields(Model):
        option = f"--{field.name.replace('_', '-')}"
        parser.add_argument(option, type=type(field.default), default=field.default)
    model = Model(**vars(parser.parse_args()))
    print("| images a day | protected views | core hours | executors | files of each |")
    print("|---|---|---|---|---|")
    for images, views in (*_ROWS, (model.images, model.views)):
        row = replace(model, images=images, views=views)
        print(
            f"| {images:,.0f} | {views:,.0f} | {row.core_seconds / 3600:,.1f} "
            f"| {row.executors} x {row.cores} cores | {row.files_gb:,.1f} GB |"
        )
    whole = model.core_seconds
    print(", ".join(f"{name}: {part / whole:.1%}" for name, part in model.parts.items()))


if __name__ == "__main__":
    main()
