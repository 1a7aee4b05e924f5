"""Elements of any part of a picture, from the 108 x 132 picture that the whole was reduced to.

Cropping, resizing, smoothing and the means over pieces are all linear, along rows and columns
apart. So for every view two small matrices take the reduced picture to the means of its 36 x 36
pieces: a hundredth of the work of cropping and resizing anew.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .elements import BLOCKS, COLUMNS, PIECE_PAIRS, ROWS, Profile
from .trimming import WHOLE, Box

__all__ = ["PIECES", "elements_of_pieces", "piece_means"]

PIECES = 3 * BLOCKS
"""Pieces along each axis."""

_GREY_LEVEL = 64.0
_EXACT = 1024.0  # sums are rounded to this part of a grey level, alike on every machine
_SIGMAS = {
    "paper": {ROWS: (0.95, 1), COLUMNS: (0.95, 1)},
    "robust": {ROWS: (1.8, 5), COLUMNS: (2.2, 6)},
}


def _shares(new: int, old: int, start: float, stop: float) -> NDArray[np.float64]:
    """Share of each old pixel in the mean over each of `new` parts of start..stop."""
    edges = np.linspace(start * old, stop * old, new + 1)
    pixel = np.arange(old)
    covered = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    shares = np.clip(covered, 0, None)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


@lru_cache(maxsize=8)
def _smooth_pieces(length: int, profile: Profile) -> NDArray[np.float64]:
    """Smooth, then take the means of pieces: shape (36, length)."""
    sigma, reach = _SIGMAS[profile][length]
    offsets = np.arange(-reach, reach + 1)
    kernel = np.exp(-(offsets**2) / (2 * sigma**2))
    smooth = np.zeros((length, length))
    for offset, weight in zip(offsets, kernel / kernel.sum(), strict=True):
        place = np.clip(np.arange(length) + offset, 0, length - 1)  # border replicated
        np.add.at(smooth, (np.arange(length), place), weight)
    return _shares(PIECES, length, 0, 1) @ smooth


@lru_cache(maxsize=64)
def _to_pieces(length: int, profile: Profile, start: float, stop: float) -> NDArray[np.float64]:
    return _smooth_pieces(length, profile) @ _shares(length, length, start, stop)


def piece_means(
    picture: NDArray[np.uint16], profile: Profile, box: Box = WHOLE
) -> NDArray[np.float64]:
    """Compute the means over all pieces of a part of the reduced picture.

    Parameters
    ----------
    picture : uint16 ndarray, shape (108, 132)
        In 64ths of a grey level.
    profile : {"robust", "paper"}
    box : Box
        The part.

    Returns
    -------
    float64 ndarray, shape (36, 36)
        Grey levels.
    """
    down = _to_pieces(ROWS, profile, box.top, box.bottom)
    across = _to_pieces(COLUMNS, profile, box.left, box.right)
    means = down @ (picture / _GREY_LEVEL) @ across.T
    return np.asarray(np.rint(means * _EXACT) / _EXACT)


def elements_of_pieces(
    means: NDArray[np.float64],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Compute A and D of every block from the means of its pieces; shapes as `a_d_elements`."""
    blocks = means.reshape(BLOCKS, 3, BLOCKS, 3).swapaxes(1, 2)
    a = (blocks.sum(axis=(2, 3)) - blocks[:, :, 1, 1]) / 8
    d = np.einsum("prc,yxrc->yxp", PIECE_PAIRS, blocks)
    return a.astype(np.float32), d.astype(np.float32)
