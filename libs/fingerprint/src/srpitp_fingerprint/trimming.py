"""Where the picture lies within bars, frames and captions."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["WHOLE", "Box", "content_box"]

_TOLERANCE = 10  # grey levels: what JPEG noise and a faint gradient add to one colour
_PAPER = 0.6  # a line is of a bar if so much of it has one colour; letters cover the rest
_PICTURE = 0.04  # so many lines of picture in a row end a bar, of the whole length
_LEAST = 0.2  # what is left of an axis at the least
_PASSES = 2


class Box(NamedTuple):
    """A part of a picture, in fractions of its height and width."""

    top: float
    bottom: float
    left: float
    right: float

    @property
    def rows(self) -> float:
        """Share of the height."""
        return self.bottom - self.top

    @property
    def columns(self) -> float:
        """Share of the width."""
        return self.right - self.left

    def cut(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Cut the part out of a picture: at least one pixel."""
        height, width = pixels.shape
        top, left = (
            min(round(self.top * height), height - 1),
            min(round(self.left * width), width - 1),
        )
        bottom, right = (
            max(round(self.bottom * height), top + 1),
            max(round(self.right * width), left + 1),
        )
        return pixels[top:bottom, left:right]


WHOLE = Box(0, 1, 0, 1)


def _plain_lines(lines: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell which rows are of one colour for the most part."""
    every_fourth = lines[:, ::4]
    middle = every_fourth.shape[1] // 2
    colour = np.partition(every_fourth, middle, axis=1)[:, middle].astype(np.int16)
    same = np.abs(lines - colour[:, None]) <= _TOLERANCE
    return np.asarray(same.mean(axis=1) >= _PAPER)


def _inner(lines: NDArray[np.uint8]) -> tuple[int, int]:
    """Find the first and the last row (exclusive) of the picture."""
    count = len(lines)
    run = max(2, round(_PICTURE * count))
    picture = ~_plain_lines(lines)
    # Sums over `run` rows in sequence: where all are picture, the bar has ended.
    total = np.concatenate([[0], np.cumsum(picture)])
    full = np.flatnonzero(total[run:] - total[:-run] == run)
    if not len(full):
        return 0, count
    first, last = int(full[0]), int(full[-1]) + run
    return (first, last) if last - first >= _LEAST * count else (0, count)


def content_box(luma: NDArray[np.uint8]) -> Box:
    """Find the picture within bars, frames and captions of one colour.

    Parameters
    ----------
    luma : uint8 ndarray, shape (height, width)
        At least 2 x 2; some hundred rows and columns are enough.

    Returns
    -------
    Box
        The whole, where nothing is to be trimmed.
    """
    height, width = luma.shape
    top, bottom, left, right = 0, height, 0, width
    for _ in range(_PASSES):
        before = top, bottom, left, right
        first, last = _inner(luma[top:bottom, left:right])
        top, bottom = top + first, top + last
        first, last = _inner(luma[top:bottom, left:right].T)
        left, right = left + first, left + last
        if (top, bottom, left, right) == before:
            break
    return Box(top / height, bottom / height, left / width, right / width)
