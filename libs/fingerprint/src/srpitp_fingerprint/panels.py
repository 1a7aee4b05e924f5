"""The photos of which a collage is made: parted at the seams that run all the way through."""

import cv2
import numpy as np
from numpy.typing import NDArray

from .trimming import WHOLE, Box

__all__ = ["panel_boxes"]

_SIZE = 256  # pixels of each axis that are looked at
_STEP = 8  # grey levels across a seam
_THROUGH = 0.6  # of its length
_SHARP = 1.6  # times as often as beside it
_LEAST = 0.2  # of an axis that a panel has at least
_MOST = 6


def _seam(pixels: NDArray[np.int16]) -> tuple[float, int]:
    """Find the strongest seam between columns: how much of the height it parts, and where."""
    width = pixels.shape[1]
    margin = max(8, round(_LEAST * width))
    if width < 2 * margin + 2 or len(pixels) < margin:
        return 0.0, 0
    # Over two pixels: a seam may lie within a resized pixel.
    parted = (np.abs(pixels[:, 2:] - pixels[:, :-2]) > _STEP).mean(axis=0)
    beside = (parted[: -2 * 4] + parted[2 * 4 :]) / 2
    inner = parted[4:-4]
    inner = np.where(inner >= _SHARP * beside, inner, 0)[margin - 5 : width - margin - 5]
    best = int(inner.argmax())
    return float(inner[best]), best + margin


def _parted(pixels: NDArray[np.int16], box: Box, depth: int) -> list[Box]:
    height, width = pixels.shape
    across, x = _seam(pixels)
    down, y = _seam(pixels.T)
    if depth == 0 or max(across, down) < _THROUGH:
        return [box]
    if across >= down:
        middle = box.left + box.columns * x / width
        first, second = box._replace(right=middle), box._replace(left=middle)
        halves = (pixels[:, :x], first), (pixels[:, x:], second)
    else:
        middle = box.top + box.rows * y / height
        first, second = box._replace(bottom=middle), box._replace(top=middle)
        halves = (pixels[:y], first), (pixels[y:], second)
    return [panel for part, place in halves for panel in _parted(part, place, depth - 1)]


def panel_boxes(luma: NDArray[np.uint8]) -> list[Box]:
    """Find the panels of a collage.

    Parameters
    ----------
    luma : uint8 ndarray, shape (height, width)

    Returns
    -------
    list of Box
        None where no seam runs through the picture.
    """
    height, width = luma.shape
    size = (min(width, _SIZE), min(height, _SIZE))
    small = cv2.resize(luma, size, interpolation=cv2.INTER_AREA).astype(np.int16)
    panels = _parted(small, WHOLE, 4)
    return panels[:_MOST] if len(panels) > 1 else []
