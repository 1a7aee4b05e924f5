"""The second, small fingerprint of a view: signs of its 16 x 16 lowest frequencies, 32 bytes.

It sees the picture as a whole where the fingerprint sees it block by block, so each doubts other
pictures. After PDQ (Meta, "The TMK+PDQF video-hashing algorithm and the PDQ image-hashing
algorithm", 2019), but taken from the pieces of the fingerprint, at next to no cost.
"""

import numpy as np
from numpy.typing import NDArray

from .elements import PIECES
from .orientation import STEPS, Orientation

__all__ = ["SKETCH_BYTES", "negative_sketch", "orient_sketch", "sketch_distance", "sketches"]

_FREQUENCIES = 16
SKETCH_BYTES = _FREQUENCIES**2 // 8

_WAVES = np.cos(
    np.pi / PIECES * np.arange(1, _FREQUENCIES + 1)[:, None] * (np.arange(PIECES) + 0.5)
)
_STRONG = 0.5 / PIECES  # what a plain picture has for its rounding errors is no wave


def sketches(means: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Sketch some views.

    Parameters
    ----------
    means : float64 ndarray, shape (..., 36, 36)
        Of their pieces.

    Returns
    -------
    uint8 ndarray, shape (..., 32)
        A bit for each frequency, row by row.
    """
    strengths = _WAVES @ means @ _WAVES.T
    return np.packbits(strengths.reshape(*means.shape[:-2], -1) > _STRONG, axis=-1)


def orient_sketch(sketch: bytes, orientation: Orientation) -> bytes:
    """Sketch a flipped or turned picture without the picture.

    Waves of odd frequency are antisymmetric, so a flip turns their signs around; a quarter turn
    exchanges the axes too.
    """
    bits = np.unpackbits(np.frombuffer(sketch, np.uint8)).reshape(_FREQUENCIES, _FREQUENCIES)
    exchanged, down, across = STEPS[orientation]
    bits = bits.T.copy() if exchanged else bits
    if down < 0:
        bits[::2] ^= 1
    if across < 0:
        bits[:, ::2] ^= 1
    return np.packbits(bits).tobytes()


def negative_sketch(sketch: bytes) -> bytes:
    """Sketch the photographic negative of a picture without the picture."""
    return np.bitwise_not(np.frombuffer(sketch, np.uint8)).tobytes()


def sketch_distance(a: bytes, b: bytes) -> float:
    """Compute the share of bits that differ, in 0..1; unrelated pictures lie near 0.5."""
    x, y = np.frombuffer(a, np.uint8), np.frombuffer(b, np.uint8)
    return int(np.bitwise_count(x ^ y).sum()) / (8 * SKETCH_BYTES)
