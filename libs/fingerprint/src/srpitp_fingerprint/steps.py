"""Which steps the cascade of `match` takes, how far, and what it accepts."""

from dataclasses import dataclass, replace

from .calibration import CALIBRATION
from .orientation import Orientation

__all__ = ["LOWEST_BAR", "Steps"]

LOWEST_BAR = -2.0
"""Score that no picture exceeds whose pixels disagree."""

_PER_MILLION, _PROTECTED = 500, 10_000


@dataclass(frozen=True, slots=True)
class Steps:
    """Which steps `match` takes, and how far.

    Attributes
    ----------
    orientations : tuple of Orientation
        In which the fingerprints are compared.
    negatives : bool
        Whether photographic negatives are looked for.
    fingerprints, sketches, index, verification, panels : bool
        Whether the step is taken: the scan over fingerprints, the sketches of what it found, the
        candidates by local features, the verification of candidates, all of it for each photo
        of a collage.
    shortlist : int
        Protected pictures whose sketches are compared.
    nearest, sharing : int
        Protected pictures that are verified at most: the nearest, and those with the most points
        in common.
    tight : float
        Largest `Match.nearness` that needs no verification.
    points : float
        Least number of points in common that makes a candidate.
    bar : float
        `Match.score` that a similar picture exceeds. Both are set for 500 false alarms per million
        detected images against 10,000 protected ones; see `within`.
    """

    orientations: tuple[Orientation, ...] = ("identity", "hflip")
    negatives: bool = True
    fingerprints: bool = True
    sketches: bool = True
    index: bool = True
    verification: bool = True
    panels: bool = True
    shortlist: int = 300
    nearest: int = 4
    sharing: int = 6
    points: float = 1.0
    tight: float = -CALIBRATION.nearness.limit(_PER_MILLION / 2, _PROTECTED)
    bar: float = CALIBRATION.score.limit(_PER_MILLION / 2, _PROTECTED)

    def within(
        self, per_million: float, protected: int, views: tuple[int, int] = (6, 2)
    ) -> "Steps":
        """Choose `tight` and `bar` for a budget of false alarms, half of it each.

        Parameters
        ----------
        per_million : float
            False alarms per million detected images.
        protected : int
            How many pictures are protected.
        views : pair of int
            Of a protected picture, and of a detected one.
        """
        share = per_million / 2 if self.verification else per_million
        often = views[0] * views[1] * len(self.orientations) * (2 if self.negatives else 1)
        return replace(
            self,
            tight=-CALIBRATION.nearness.limit(share, protected, often),
            bar=max(LOWEST_BAR, CALIBRATION.score.limit(share, protected)),
        )
