"""Two pictures side by side, with the blocks marked in which their fingerprints differ."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .decode import DETAILED, decode
from .elements import BLOCKS
from .limits import Limits
from .orientation import Orientation, orient
from .symbols import A_SYMBOLS, unpack

__all__ = ["draw_comparison"]

_CELL_HEIGHT, _CELL_WIDTH = 36, 44
_GAP = 12
_MARK = (40, 40, 230)  # blue, green, red
_STRENGTH = 0.75


def _luma(path: Path) -> NDArray[np.uint8]:
    return decode(path.read_bytes(), Limits(), DETAILED).luma


def _differences(a: bytes, b: bytes) -> NDArray[np.float64]:
    """Share of the five symbols of each block that differ, shape (12, 12)."""
    differs = unpack(a) != unpack(b)
    counts = differs[:A_SYMBOLS] + differs[A_SYMBOLS:].reshape(-1, 4).sum(axis=1)
    return np.asarray(counts / 5, np.float64).reshape(BLOCKS, BLOCKS)


def _marked(luma: NDArray[np.uint8], differences: NDArray[np.float64]) -> NDArray[np.uint8]:
    size = (BLOCKS * _CELL_WIDTH, BLOCKS * _CELL_HEIGHT)
    grey = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)[..., None]
    alpha = np.kron(differences, np.ones((_CELL_HEIGHT, _CELL_WIDTH)))[..., None] * _STRENGTH
    drawn = np.asarray(np.rint(grey * (1 - alpha) + np.array(_MARK) * alpha), np.uint8)
    for block in range(1, BLOCKS):
        drawn[block * _CELL_HEIGHT] = drawn[block * _CELL_HEIGHT] // 2 + 64
        drawn[:, block * _CELL_WIDTH] = drawn[:, block * _CELL_WIDTH] // 2 + 64
    return drawn


def draw_comparison(
    path_a: Path,
    path_b: Path,
    a: bytes,
    b: bytes,
    orientation: Orientation,
) -> NDArray[np.uint8]:
    """Draw two pictures, in the size of the fingerprint, the redder the more a block differs.

    Parameters
    ----------
    path_a, path_b : Path
    a, b : bytes
        Their fingerprints; `b` already turned.
    orientation : Orientation
        How the second is turned to be like the first.

    Returns
    -------
    uint8 ndarray, shape (432, 1068, 3)
        Blue, green, red.
    """
    differences = _differences(a, b)
    left = _marked(_luma(path_a), differences)
    right = _marked(np.ascontiguousarray(orient(_luma(path_b), orientation)), differences)
    gap = np.full((len(left), _GAP, 3), 255, np.uint8)
    return np.concatenate([left, gap, right], axis=1)
