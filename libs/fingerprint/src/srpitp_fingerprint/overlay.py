"""Two pictures aligned, for someone to see whether the one shows the other.

The protected picture is the frame; the detected one is turned, flipped, moved and scaled into it,
as its verification found it to lie there.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from .decode import decode_colour
from .limits import Limits
from .orientation import Orientation, orient

__all__ = ["DRAWINGS", "Drawing", "Placement", "draw_aligned"]

Drawing = Literal["whole", "side_by_side", "overlay", "difference"]
DRAWINGS: tuple[Drawing, ...] = ("whole", "side_by_side", "overlay", "difference")

_SIDE = 720
_GAP = 12
_LEAST = 0.02  # share of the protected picture's width and height that is shown, at least
_CONTRAST = 3.0
_DIMMED = 0.35
_OUTLINE = (40, 40, 230)  # blue, green, red
_WHITE = 255
_DEFAULT_LIMITS = Limits()

_Pixels = NDArray[np.uint8]
_Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Placement:
    """How a detected picture lies in a protected one.

    Attributes
    ----------
    orientation : Orientation
        What is done to the detected picture first.
    transform : tuple of two rows of three floats
        From places in it then to places in the protected picture, both in fractions of width and
        height. The default lays the one upon the other.
    negative : bool
        Whether the detected picture is a photographic negative.
    """

    orientation: Orientation = "identity"
    transform: tuple[tuple[float, float, float], tuple[float, float, float]] = (
        (1.0, 0.0, 0.0),
        (0.0, 1.0, 0.0),
    )
    negative: bool = False


class _Part(NamedTuple):
    """A part of the protected picture, in fractions of its width and height."""

    left: float
    top: float
    right: float
    bottom: float


_WHOLE = _Part(0, 0, 1, 1)


def draw_aligned(
    detected: bytes,
    protected: bytes,
    placement: Placement | None = None,
    kind: Drawing = "side_by_side",
    *,
    side: int = _SIDE,
    limits: Limits = _DEFAULT_LIMITS,
) -> _Pixels:
    """Draw two pictures so that they can be compared by eye.

    Parameters
    ----------
    detected, protected : bytes
        Image files.
    placement : Placement, optional
        As they are, one upon the other, if none is known.
    kind : {"whole", "side_by_side", "overlay", "difference"}
        Both whole pictures, the common part outlined; the common part of both, side by side; the
        one over the other; or how much they differ, amplified, in light.
    side : int
        Pixels of the longer side of each picture.
    limits : Limits

    Returns
    -------
    uint8 ndarray, shape (height, width, 3)
        Blue, green, red. The protected picture is on the left.

    Raises
    ------
    ImageError
        As `extract`.
    """
    placement = placement or Placement()
    shown = _fitted(decode_colour(detected, side=side, limits=limits), 2 * side)
    frame = _fitted(decode_colour(protected, side=side, limits=limits), 2 * side)
    turned = np.ascontiguousarray(orient(shown, placement.orientation))
    matrix = np.asarray(placement.transform, np.float64)
    part = _common(matrix)
    if part is None:  # nothing sane was given: lay the one upon the other
        matrix, part = np.eye(2, 3), _WHOLE
    if kind == "whole":
        return _wholes(frame, turned, matrix, side)
    left, right, mask = _aligned(frame, turned, matrix, part, side)
    if placement.negative:
        right = np.where(mask, _WHITE - right, right).astype(np.uint8)
    if kind == "overlay":
        return _overlaid(left, right, mask)
    if kind == "difference":
        return _difference(left, right, mask)
    return _beside(left, right)


def _fitted(pixels: _Pixels, side: int) -> _Pixels:
    """Shrink a picture until its longer side fits; its shorter one keeps a pixel at least."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _corners(matrix: _Matrix) -> _Matrix:
    """Give the places of the detected picture's corners, shape (4, 2)."""
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64)
    return corners @ matrix[:, :2].T + matrix[:, 2]


def _common(matrix: _Matrix) -> _Part | None:
    """Find the part of the protected picture that the detected one shows; None if hardly any."""
    if not np.isfinite(matrix).all() or np.abs(matrix).max() > 1e6:
        return None
    frame = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    area, shape = cv2.intersectConvexConvex(_corners(matrix).astype(np.float32), frame)
    if shape is None or area < _LEAST**2:
        return None
    left, top = np.clip(shape.reshape(-1, 2).min(axis=0), 0, 1)
    right, bottom = np.clip(shape.reshape(-1, 2).max(axis=0), 0, 1)
    if right - left < _LEAST or bottom - top < _LEAST:
        return None
    return _Part(float(left), float(top), float(right), float(bottom))


def _aligned(
    frame: _Pixels, turned: _Pixels, matrix: _Matrix, part: _Part, side: int
) -> tuple[_Pixels, _Pixels, NDArray[np.bool_]]:
    """Draw a part of the protected picture, the detected one in it, and where that lies."""
    rows, columns = frame.shape[:2]
    wide, high = (part.right - part.left) * columns, (part.bottom - part.top) * rows
    scale = side / max(wide, high)
    size = (max(1, round(wide * scale)), max(1, round(high * scale)))
    to_canvas = np.array(
        [
            [size[0] / (part.right - part.left), 0, 0],
            [0, size[1] / (part.bottom - part.top), 0],
        ]
    )
    to_canvas[:, 2] = -to_canvas[:, :2] @ [part.left, part.top]
    left = _warped(frame, to_canvas, size)
    both = np.column_stack(
        [to_canvas[:, :2] @ matrix[:, :2], to_canvas[:, :2] @ matrix[:, 2] + to_canvas[:, 2]]
    )
    area = np.full_like(turned, _WHITE)
    inside = _warped(area, both, size, beyond=cv2.BORDER_CONSTANT) > _WHITE // 2
    return left, np.where(inside, _warped(turned, both, size), 0).astype(np.uint8), inside


def _warped(
    pixels: _Pixels,
    to_canvas: _Matrix,
    size: tuple[int, int],
    *,
    beyond: int = cv2.BORDER_REPLICATE,
) -> _Pixels:
    """Draw a picture on a canvas, from fractions of its own size to pixels of the canvas."""
    # Where the picture is finer than the canvas it is shrunk first: sampling it would flicker.
    across, down = np.linalg.norm(to_canvas[:, :2], axis=0)
    wanted = (max(1, round(min(across, pixels.shape[1]))), max(1, round(min(down, len(pixels)))))
    if wanted != (pixels.shape[1], len(pixels)):
        pixels = np.asarray(cv2.resize(pixels, wanted, interpolation=cv2.INTER_AREA), np.uint8)
    # Pixels lie at whole numbers, and their edges half a pixel before.
    own = np.array([pixels.shape[1], len(pixels)], np.float64)
    scaled = to_canvas[:, :2] / own
    shift = scaled @ [0.5, 0.5] + to_canvas[:, 2] - 0.5
    warp = np.column_stack([scaled, shift])
    drawn = cv2.warpAffine(pixels, warp, size, flags=cv2.INTER_LINEAR, borderMode=beyond)
    return np.asarray(drawn, np.uint8)


def _wholes(frame: _Pixels, turned: _Pixels, matrix: _Matrix, side: int) -> _Pixels:
    """Draw both pictures, and in each an outline of what the other one shows."""
    left, right = (np.ascontiguousarray(_enlarged(one, side)) for one in (frame, turned))
    _outline(left, _corners(matrix))
    if abs(np.linalg.det(matrix[:, :2])) > 1e-9:
        inverse = np.linalg.inv(matrix[:, :2])
        _outline(right, _corners(np.column_stack([inverse, -inverse @ matrix[:, 2]])))
    return _beside(left, right)


def _enlarged(pixels: _Pixels, side: int) -> _Pixels:
    scale = side / max(pixels.shape[:2])
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(len(pixels) * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, size, interpolation=how), np.uint8)


def _outline(pixels: _Pixels, corners: _Matrix) -> None:
    size = np.array([pixels.shape[1] - 1, len(pixels) - 1])
    places = np.clip(np.rint(corners * size), -10_000, 10_000).astype(np.int32)
    cv2.polylines(pixels, [places], isClosed=True, color=_OUTLINE, thickness=2)


def _overlaid(left: _Pixels, right: _Pixels, mask: NDArray[np.bool_]) -> _Pixels:
    """Lay the detected picture over the protected one, half seen through; the rest is dimmed."""
    blended = cv2.addWeighted(left, 0.5, right, 0.5, 0)
    return np.where(mask, blended, left * _DIMMED).astype(np.uint8)


def _difference(left: _Pixels, right: _Pixels, mask: NDArray[np.bool_]) -> _Pixels:
    """Show in light how much the pictures differ, a general change of brightness apart."""
    differs = np.abs(left.astype(np.float32) - right - _offset(left, right, mask))
    return np.where(mask, np.clip(differs * _CONTRAST, 0, _WHITE), 0).astype(np.uint8)


def _offset(left: _Pixels, right: _Pixels, mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    inside = mask.all(axis=2)
    if not inside.any():
        return np.zeros(3, np.float32)
    mean = left[inside].mean(axis=0) - right[inside].mean(axis=0)
    return np.asarray(mean, np.float32)


def _beside(left: _Pixels, right: _Pixels) -> _Pixels:
    """Put two pictures side by side, both in the middle, over white."""
    height = max(len(left), len(right))
    drawn = np.full((height, left.shape[1] + _GAP + right.shape[1], 3), _WHITE, np.uint8)
    for pixels, start in ((left, 0), (right, left.shape[1] + _GAP)):
        top = (height - len(pixels)) // 2
        drawn[top : top + len(pixels), start : start + pixels.shape[1]] = pixels
    return drawn
