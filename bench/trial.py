"""A trial: a protected set of thousands of photos, altered copies of some, and strangers."""

import importlib.util
import os
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from alterations import ALTERATIONS, alter
from numpy.typing import NDArray
from photos import Photo, horizon, product, read_photos, window

from srpitp_fingerprint import ORIENTATIONS, Description, Steps

__all__ = ["ALONE", "LAYOUT_SHARE", "Picture", "Trial", "load_attacks", "split", "with_views"]

ALONE = Steps(orientations=ORIENTATIONS, index=False, verification=False, panels=False)
"""The fingerprint alone: nothing is known of pictures but their fingerprints and sketches."""


Pixels = NDArray[np.uint8]
LAYOUT_SHARE = 0.1
"""Of protected pictures and of strangers that share a layout."""
_MIXED_IN = 60  # photos that collages are made with: never protected


@dataclass(frozen=True)
class Picture:
    """One picture of a trial, as the file that is judged."""

    name: str
    kind: str
    truth: int
    data: bytes


def with_views(one: Description, names: tuple[str, ...]) -> Description:
    """Keep some views of a description only."""
    views = tuple(view for view in one.extraction.views if view.name in names)
    return replace(one, extraction=replace(one.extraction, views=views))


def load_attacks(path: Path) -> ModuleType | None:
    """Load the module of attacks, if it is there."""
    if not path.exists():
        return None
    spec = importlib.util.spec_from_file_location("attacks", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def split(photos: list[Photo], sources: set[str]) -> tuple[list[Photo], list[Photo]]:
    """Part photos by source: of the given ones, and of all others."""
    return [p for p in photos if p.source in sources], [
        p for p in photos if p.source not in sources
    ]


def _file(pixels: Pixels, quality: int = 95) -> bytes:
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


@dataclass(frozen=True)
class Trial:
    """Which photos play which part.

    Attributes
    ----------
    originals : list of Photo
        Protected, and altered to be looked for.
    crowd : list of Photo
        Windows and layouts of these are protected too.
    outsiders : list of Photo
        Strangers are these, their windows, and layouts of them.
    protected, strangers : int
        How many pictures.
    """

    originals: list[Photo]
    crowd: list[Photo]
    outsiders: list[Photo]
    protected: int
    strangers: int

    def protected_set(self) -> Iterator[Picture]:
        """Make the protected pictures: the originals first."""
        for place, photo in enumerate(self.originals):
            yield Picture(photo.path.stem, "original", place, photo.path.read_bytes())
        yield from _variety(self.crowd, self.protected - len(self.originals), 1)

    def stranger_set(self, part: int = 0, of: int = 1) -> Iterator[Picture]:
        """Make the strangers, or one of several parts of them."""
        yield from _variety(self.outsiders[_MIXED_IN:], self.strangers, 2, part, of)

    def altered(self, attacks: ModuleType | None, part: int = 0, of: int = 1) -> Iterator[Picture]:
        """Alter every original in every way, or those of one of several parts."""
        mixed_in = [photo.pixels() for photo in self.outsiders[:_MIXED_IN]]
        for place, photo in list(enumerate(self.originals))[part::of]:
            image = photo.pixels()
            others = [mixed_in[(3 * place + k) % len(mixed_in)] for k in range(3)]
            if attacks:
                for name in attacks.A:
                    done = attacks.attack(image, name, place)
                    yield Picture(photo.path.stem, name, place, _file(done))
            for name in ALTERATIONS:
                yield Picture(
                    photo.path.stem, f"+{name}", place, _file(alter(image, name, others, place))
                )

    def copies(
        self, attacks: ModuleType | None, kinds: Sequence[str], count: int, seed: int
    ) -> Iterator[Picture]:
        """Alter originals, one after another, each time in another way drawn from some.

        Parameters
        ----------
        attacks : module
            What `load_attacks` found; without it, names in `kinds` are those of `ALTERATIONS`.
        kinds : sequence of str
            As many at least as there are copies of an original.
        count, seed : int
        """
        random = np.random.default_rng(seed)
        drawn = [random.permutation(kinds) for _ in self.originals]
        mixed_in = [photo.pixels() for photo in self.outsiders[:3]]
        for number in range(count):
            turn, place = divmod(number, len(self.originals))
            photo, kind = self.originals[place], str(drawn[place][turn])
            image = photo.pixels()
            done = (
                attacks.attack(image, kind, place)
                if attacks
                else alter(image, kind, mixed_in, place)
            )
            yield Picture(photo.path.stem, kind, place, _file(done))


def _variety(
    photos: list[Photo], count: int, salt: int, part: int = 0, of: int = 1
) -> Iterator[Picture]:
    """Make many pictures of few photos: themselves, layouts of them, and windows."""
    layouts = round(LAYOUT_SHARE * count)
    for number in range(part, count, of):
        photo = photos[number % len(photos)]
        seed = [salt, number]
        if number < len(photos):
            kind, data = "photo", photo.path.read_bytes()
        elif number < len(photos) + layouts:
            kind, make = ("product", product) if number % 2 else ("horizon", horizon)
            data = _file(make(photo.pixels(), seed), 92)
        else:
            kind, data = "window", _file(window(photo.pixels(), seed), 92)
        yield Picture(photo.path.stem, kind, -1, data)


def kept(path: Path | None, make: Callable[[], Any]) -> Any:
    """Make something, or take it from where it was kept."""
    if path is not None and path.exists():
        return pickle.loads(path.read_bytes())  # noqa: S301 - written below
    made = make()
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(made))
    return made


def usual_trial_options(parser: Any) -> None:
    """Add the options that say where photos are and how many are taken."""
    root = Path(__file__).resolve().parents[1]
    parser.add_argument("--photos", type=Path, default=root.parent / "shared/data/dev")
    parser.add_argument("--attacks", type=Path, default=root.parent / "shared/eval/attacks.py")
    parser.add_argument(
        "--fitted-on", default="imagenet-sample,weather", help="sources for fitting"
    )
    parser.add_argument("--keep", type=Path, help="folder for what takes long to make")


def ready(arguments: Any) -> tuple[list[Photo], list[Photo], ModuleType | None]:
    """Read photos and attacks: photos to fit on, photos to judge by, attacks."""
    cv2.setNumThreads(1)
    os.environ.setdefault("PHOTOS", str(arguments.photos / "images"))
    photos = read_photos(arguments.photos)
    random = np.random.default_rng(7)
    photos = [photos[k] for k in random.permutation(len(photos))]
    if not photos:
        sys.exit(f"no photos in {arguments.photos}; give a folder with --photos")
    fitted, judged = split(photos, set(arguments.fitted_on.split(",")))
    return fitted, judged, load_attacks(arguments.attacks)
