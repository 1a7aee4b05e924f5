"""Where the picture lies within bars, frames and captions."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from .elements import Part

__all__ = ["WHOLE", "Box", "content_box"]

_TOLERANCE = np.uint8(10)  # grey levels: what JPEG noise and a faint gradient add to one colour
_PAPER = 0.6  # a line is of a bar if so much of it has one colour; letters cover the rest
_PICTURE = 0.04  # so many lines of picture in a row end a bar, of the whole length
_LEAST = 0.2  # what is left of an axis at the least
_PASSES = 2
_NARROW = 12  # lines: most pictures have no bar, or a narrow one


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

    def part(self, height: int, width: int) -> Part:
        """Place it on a picture: at least one pixel."""
        top = min(round(self.top * height), height - 1)
        left = min(round(self.left * width), width - 1)
        bottom = max(round(self.bottom * height), top + 1)
        return Part(top, left, bottom, max(round(self.right * width), left + 1))

    def cut(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Cut the part out of a picture: at least one pixel."""
        top, left, bottom, right = self.part(*pixels.shape[:2])
        return pixels[top:bottom, left:right]


WHOLE = Box(0, 1, 0, 1)


def _plain_lines(lines: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell which rows are of one colour for the most part."""
    every_fourth = lines[:, ::4].astype(np.int32)  # NumPy sorts many of these at a time
    middle = every_fourth.shape[1] // 2
    every_fourth.partition(middle, axis=1)
    colour = every_fourth[:, middle : middle + 1].astype(np.uint8)
    # Without a sign, all that is outside wraps around to a large number.
    lowest = np.maximum(colour, _TOLERANCE) - _TOLERANCE
    highest = np.minimum(colour, 255 - _TOLERANCE) + _TOLERANCE
    same = (lines - lowest <= highest - lowest).view(np.uint8)
    counts = cv2.reduce(same, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)
    return np.asarray(counts[:, 0] >= _PAPER * lines.shape[1])


def _bar(lines: NDArray[np.uint8], plain: bytes, run: int) -> int:
    """Count the rows before the picture, of which the first are known; -1 if there is none."""
    while (found := plain.find(bytes(run))) < 0 and len(plain) < len(lines):
        plain += _plain_lines(lines[len(plain) : 3 * len(plain)]).tobytes()
    return found


def _inner(lines: NDArray[np.uint8]) -> tuple[int, int]:
    """Find the first and the last row (exclusive) of the picture."""
    count = len(lines)
    run = max(2, round(_PICTURE * count))
    reach = min(run + _NARROW, count)
    backwards = lines[::-1]
    plain = _plain_lines(np.concatenate([lines[:reach], backwards[:reach]])).tobytes()
    first = _bar(lines, plain[:reach], run)
    if first < 0:
        return 0, count
    last = count - _bar(backwards, plain[reach:], run)
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
        first, last = _inner(np.asarray(cv2.transpose(luma[top:bottom, left:right]), np.uint8))
        left, right = left + first, left + last
        if (top, bottom, left, right) == before:
            break
    return Box(top / height, bottom / height, left / width, right / width)
