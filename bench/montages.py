"""Montages: a photo beside others, on others, or on a screen."""

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "collage",
    "feed",
    "one_large",
    "picture_in_picture",
    "resized",
    "side_by_side",
    "stacked",
]

Pixels = NDArray[np.uint8]
Others = list[Pixels]
Random = np.random.Generator
_FONT = cv2.FONT_HERSHEY_DUPLEX


def resized(image: Pixels, width: int, height: int) -> Pixels:
    """Resize by area, to at least 8 x 8."""
    size = (max(8, width), max(8, height))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def side_by_side(image: Pixels, others: Others, random: Random) -> Pixels:
    """Before and after: another photo of the same height beside it."""
    height = len(image)
    other = others[0]
    other = resized(other, round(other.shape[1] * height / other.shape[0]), height)
    return np.hstack([image, other] if random.integers(2) else [other, image])


def stacked(image: Pixels, others: Others, random: Random) -> Pixels:
    """Another photo of the same width above or below it."""
    width = image.shape[1]
    other = resized(others[0], width, round(others[0].shape[0] * width / others[0].shape[1]))
    return np.vstack([image, other] if random.integers(2) else [other, image])


def collage(image: Pixels, others: Others, random: Random) -> Pixels:
    """Two by two, in any position, with gaps."""
    height, width = image.shape[:2]
    tiles = [resized(other, width, height) for other in others[:3]]
    tiles.insert(int(random.integers(4)), image)
    gap, paper = (
        round(0.02 * width * random.integers(0, 3)),
        tuple(int(c) for c in random.integers(0, 256, 3)),
    )
    framed = [cv2.copyMakeBorder(t, *(gap,) * 4, cv2.BORDER_CONSTANT, value=paper) for t in tiles]
    whole = np.vstack([np.hstack(framed[:2]), np.hstack(framed[2:])])
    return np.asarray(whole, np.uint8)


def one_large(image: Pixels, others: Others, random: Random) -> Pixels:
    """One large photo and two small ones beside it."""
    height, width = image.shape[:2]
    small = [resized(other, width // 2, height // 2) for other in others[:2]]
    column = np.vstack(small)
    return np.hstack(
        [image[: len(column)], column] if random.integers(2) else [column, image[: len(column)]]
    )


def picture_in_picture(image: Pixels, others: Others, random: Random) -> Pixels:
    """Put it on another photo, at half its size."""
    height, width = image.shape[:2]
    canvas = resized(others[0], round(1.3 * width), round(1.3 * height))
    scale = random.uniform(0.6, 0.85)
    small = resized(image, round(width * scale), round(height * scale))
    y = random.integers(0, len(canvas) - len(small) + 1)
    x = random.integers(0, canvas.shape[1] - small.shape[1] + 1)
    canvas[y : y + len(small), x : x + small.shape[1]] = small
    return canvas


def feed(image: Pixels, _: Others, random: Random) -> Pixels:
    """A dark screenshot of a feed: avatar, name, text, picture, buttons."""
    width = 480
    picture = resized(image, width - 60, round((width - 60) * len(image) / image.shape[1]))
    top, bottom = 110, int(random.integers(60, 300))
    screen = np.full((top + len(picture) + bottom, width, 3), (32, 26, 22), np.uint8)
    cv2.circle(screen, (36, 44), 22, (190, 140, 90), -1, cv2.LINE_AA)
    cv2.putText(screen, "Some One @someone", (70, 40), _FONT, 0.6, (235, 235, 235), 1, cv2.LINE_AA)
    cv2.putText(
        screen, "look at this one, wow", (20, 92), _FONT, 0.6, (220, 220, 220), 1, cv2.LINE_AA
    )
    screen[top : top + len(picture), 30 : 30 + picture.shape[1]] = picture
    for x in (40, 160, 280, 400):
        cv2.rectangle(
            screen,
            (x, top + len(picture) + 20),
            (x + 26, top + len(picture) + 42),
            (120, 120, 120),
            2,
        )
    return screen
