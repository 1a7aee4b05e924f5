"""The 720 elements of a picture: paper, Algorithm 1, "normalise", "filter" and "extract".

The paper is Hu, Sheng, Mao, Wang, Zhong: "Spark-based real-time proactive image tracking
protection model", EURASIP Journal on Information Security 2019:3. It leaves open the size's
orientation, the filter's width and the eight pieces of a block; README.md says what was chosen.
"""

from types import MappingProxyType
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BLOCKS",
    "COLUMNS",
    "PIECE_PAIRS",
    "ROWS",
    "Profile",
    "a_d_elements",
    "elements_of",
    "normalise",
]

Profile = Literal["paper", "robust"]
"""How much the picture is smoothed: as the paper has it, or for the best recall."""

ROWS, COLUMNS = 108, 132
BLOCKS = 12
"""Blocks along each axis; one has 9 rows and 11 columns."""

PIECE_PAIRS = np.array(
    [
        [[1, 0, 0], [0, 0, 0], [0, 0, -1]],  # D1: top left - bottom right
        [[0, 1, 0], [0, 0, 0], [0, -1, 0]],  # D2: top - bottom
        [[0, 0, 1], [0, 0, 0], [-1, 0, 0]],  # D3: top right - bottom left
        [[0, 0, 0], [1, 0, -1], [0, 0, 0]],  # D4: left - right
    ]
)
"""The four differences over the 3 x 3 pieces of a block; the centre piece is in none."""

_BLOCK_ROWS, _BLOCK_COLUMNS = ROWS // BLOCKS, COLUMNS // BLOCKS
_GREY_LEVEL = 64  # one of 256 grey levels, in 14 bits
_PIECE_WEIGHT = _BLOCK_ROWS * _BLOCK_COLUMNS // 3  # 33: a ninth of the pixels, in thirds

# Kernel (columns, rows), sigma across, sigma down; in pixels of the 108 x 132 picture.
_SMOOTHING = MappingProxyType(
    {"paper": ((3, 3), 0.95, 0.95), "robust": ((13, 11), 2.2, 1.8)},
)


def _thirds(length: int) -> NDArray[np.int64]:
    """Share out pixels to three equal parts: shape (3, length), in thirds of a pixel."""
    thirds_of_pixels = np.repeat(np.arange(length), 3).reshape(3, length)
    return np.stack([np.bincount(part, minlength=length) for part in thirds_of_pixels])


def _weights() -> NDArray[np.float32]:
    """Give the weights from the pixels of a block to its five sums, shape (99, 5)."""
    rows, columns = _thirds(_BLOCK_ROWS), _thirds(_BLOCK_COLUMNS)
    pieces = np.einsum("ir,jc->ijrc", rows, columns) // 3  # nine rows share out evenly
    eight = np.abs(PIECE_PAIRS).sum(axis=0)
    sums = np.tensordot(np.stack([eight, *PIECE_PAIRS]), pieces, axes=2)
    return sums.reshape(5, -1).T.astype(np.float32)


_WEIGHTS = _weights()
_SCALES = np.float32(_GREY_LEVEL * _PIECE_WEIGHT) * np.array([8, 1, 1, 1, 1], np.float32)


def normalise(luma: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Bring a picture to 108 x 132, in 14 bits: 8 would turn near-flat areas into ties.

    Parameters
    ----------
    luma : uint8 ndarray, shape (height, width)
        Of any size from 1 x 1.

    Returns
    -------
    uint16 ndarray, shape (108, 132)
        In 64ths of a grey level.
    """
    height, width = luma.shape
    fine = luma.astype(np.uint16) * np.uint16(_GREY_LEVEL)
    # Shrinking comes first, so that a very long, very thin picture is never blown up.
    small = (min(width, COLUMNS), min(height, ROWS))
    shrunk = cv2.resize(fine, small, interpolation=cv2.INTER_AREA)
    return cv2.resize(shrunk, (COLUMNS, ROWS), interpolation=cv2.INTER_LINEAR).astype(np.uint16)


def a_d_elements(
    luma: NDArray[np.uint8], profile: Profile = "robust"
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Compute the elements before they are quantised.

    Parameters
    ----------
    luma : uint8 ndarray, shape (height, width)
        A picture of any size from 1 x 1.
    profile : {"robust", "paper"}

    Returns
    -------
    a_elements : float32 ndarray, shape (12, 12)
        Mean of the eight pieces of each block, in grey levels 0..255.
    d_elements : float32 ndarray, shape (12, 12, 4)
        The four differences between opposite pieces, in grey levels -255..255.
    """
    return elements_of(normalise(luma), profile)


def elements_of(
    picture: NDArray[np.uint16], profile: Profile
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Compute `a_d_elements` of a picture that `normalise` gave."""
    if profile not in _SMOOTHING:
        raise ValueError(f"profile must be one of {', '.join(_SMOOTHING)}, not {profile!r}")
    kernel, across, down = _SMOOTHING[profile]
    smooth = cv2.GaussianBlur(
        picture, kernel, sigmaX=across, sigmaY=down, borderType=cv2.BORDER_REPLICATE
    )
    blocks = smooth.reshape(BLOCKS, _BLOCK_ROWS, BLOCKS, _BLOCK_COLUMNS).swapaxes(1, 2)
    # Sums of integers below 2 ** 24: exact in float32, whatever their order.
    sums = blocks.reshape(BLOCKS, BLOCKS, -1).astype(np.float32) @ _WEIGHTS
    elements = sums / _SCALES
    return elements[..., 0], elements[..., 1:]
