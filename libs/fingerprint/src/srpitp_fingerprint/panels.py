"""The photos of which a collage is made: parted at the seams that run all the way through."""

import cv2
import numpy as np
from numpy.typing import NDArray

from .trimming import WHOLE, Box

__all__ = ["panel_boxes", "panels_of"]

_SIZE = 256  # pixels of each axis that are looked at
_STEP = 8  # grey levels across a seam
_THROUGH = 0.72  # of its length: seams of montages part 0.8 and more, lines in photos less
_SURELY = 0.85  # of its length: then what it parts is no photo
_SHARP = 1.6  # times as often as beside it
_LEAST = 0.2  # of an axis that a panel has at least
_MOST = 6
_DEEPEST = 3  # seams one within the other

_Pixels = NDArray[np.int16]


def _seam(pixels: _Pixels) -> tuple[float, int]:
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


def _parted(pixels: _Pixels, box: Box) -> tuple[float, list[tuple[_Pixels, Box]]]:
    """Part a picture at its strongest seam: how sure that is, and both parts."""
    height, width = pixels.shape
    across, x = _seam(pixels)
    down, y = _seam(pixels.T)
    if max(across, down) < _THROUGH:
        return 0.0, []
    if across >= down:
        middle = box.left + box.columns * x / width
        first, second = box._replace(right=middle), box._replace(left=middle)
        return across, [(pixels[:, :x], first), (pixels[:, x:], second)]
    middle = box.top + box.rows * y / height
    first, second = box._replace(bottom=middle), box._replace(top=middle)
    return down, [(pixels[:y], first), (pixels[y:], second)]


def panel_boxes(luma: NDArray[np.uint8]) -> list[Box]:
    """Find the panels of a collage, the large ones first.

    One that is parted once more stays, unless the seam is sure: a photo may have lines too.

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
    panels: list[Box] = []
    parts: list[tuple[_Pixels, Box]] = [(small, WHOLE)]
    for _ in range(_DEEPEST):
        smaller: list[tuple[_Pixels, Box]] = []
        for pixels, box in parts:
            strength, halves = _parted(pixels, box)
            smaller += halves
            if box in panels and strength >= _SURELY:
                panels.remove(box)
        panels += [box for _, box in smaller]
        parts = smaller
    return panels[:_MOST]


def panels_of(picture: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Cut the photos out of a collage, the large ones first.

    Parameters
    ----------
    picture : uint8 ndarray, shape (height, width) or (height, width, 3)
        Grey, or blue, green, red.

    Returns
    -------
    list of uint8 ndarray
        None where no seam runs through the picture.
    """
    luma = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    return [box.cut(picture) for box in panel_boxes(np.asarray(luma, np.uint8))]
