"""The eight orientations of a picture, and of a fingerprint without its picture.

A flip or a quarter turn of a picture moves the blocks of the fingerprint and, within each block,
maps the four opposite pairs of pieces onto each other. So it is a permutation of the symbols.
"""

from types import MappingProxyType
from typing import Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from .elements import BLOCKS, PIECE_PAIRS
from .symbols import A_SYMBOLS, Fingerprint, pack, unpack

__all__ = ["ORIENTATIONS", "STEPS", "Orientation", "negative", "orient", "permute"]

Orientation = Literal[
    "identity", "hflip", "rot180", "vflip", "transpose", "rot90cw", "antitranspose", "rot90ccw"
]
ORIENTATIONS: tuple[Orientation, ...] = get_args(Orientation)
"""All eight, in the order of EXIF: the one that shows tag value `v` upright is at `v - 1`."""

# Every orientation is an optional exchange of the axes, then a step along the rows and columns.
STEPS = MappingProxyType(
    {
        "identity": (False, 1, 1),
        "hflip": (False, 1, -1),
        "rot180": (False, -1, -1),
        "vflip": (False, -1, 1),
        "transpose": (True, 1, 1),
        "rot90cw": (True, 1, -1),
        "antitranspose": (True, -1, -1),
        "rot90ccw": (True, -1, 1),
    }
)

_Scalar = TypeVar("_Scalar", bound=np.generic)


def orient(grid: NDArray[_Scalar], orientation: Orientation) -> NDArray[_Scalar]:
    """Flip or turn the first two axes of an array.

    Parameters
    ----------
    grid : ndarray, shape (rows, columns, ...)
    orientation : Orientation
        What to do: ``rot90cw`` is a quarter turn clockwise, ``transpose`` exchanges rows and
        columns, ``antitranspose`` does so along the other diagonal.

    Returns
    -------
    ndarray
        A view of `grid`.
    """
    exchange, rows, columns = STEPS[orientation]
    return (grid.swapaxes(0, 1) if exchange else grid)[::rows, ::columns]


def _differences(orientation: Orientation) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Say of each D after a move which D before the move it is, and whether negated."""
    moved = np.stack([orient(pair, orientation) for pair in PIECE_PAIRS]).reshape(4, 9)
    # Different pairs share no piece: the product is 2 or -2 for the same pair, else 0.
    product = PIECE_PAIRS.reshape(4, 9) @ moved.T
    source = np.abs(product).argmax(axis=1)
    return source, product[np.arange(4), source] < 0


_DIFFERENCES = MappingProxyType({name: _differences(name) for name in ORIENTATIONS})


def permute(fingerprint: Fingerprint, orientation: Orientation) -> bytes:
    """Fingerprint a flipped or turned picture without the picture.

    Parameters
    ----------
    fingerprint : bytes or uint8 ndarray, shape (180,)
    orientation : Orientation
        What is done to the picture.

    Returns
    -------
    bytes
        180 bytes; they differ in some 1 % of the symbols from an extraction anew, because blocks
        are not square and values may lie on a threshold.
    """
    symbols = unpack(fingerprint)
    a = orient(symbols[:A_SYMBOLS].reshape(BLOCKS, BLOCKS), orientation)
    d = orient(symbols[A_SYMBOLS:].reshape(BLOCKS, BLOCKS, 4), orientation)
    source, negated = _DIFFERENCES[orientation]
    d = np.where(negated, 3 - d[..., source], d[..., source])
    return pack(np.concatenate([a.ravel(), d.ravel()])).tobytes()


def negative(fingerprint: Fingerprint) -> bytes:
    """Fingerprint the photographic negative of a picture without the picture.

    Parameters
    ----------
    fingerprint : bytes or uint8 ndarray, shape (180,)

    Returns
    -------
    bytes
        180 bytes; as with `permute`, values on a threshold may fall to the other side.
    """
    return pack(3 - unpack(fingerprint)).tobytes()
