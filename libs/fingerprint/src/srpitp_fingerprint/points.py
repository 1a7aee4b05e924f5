"""Which points look alike: descriptors compared bit by bit, compiled by numba or in numpy."""

from functools import cache
from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .search import load_backend

__all__ = ["Neighbours", "kernel", "neighbours"]

_SIGNS_OF_BYTE = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1) * np.float32(2) - 1


class Neighbours(NamedTuple):
    """For each descriptor of one picture, those of another that are most alike.

    Attributes
    ----------
    best : int64 ndarray, shape (N,)
        Which is most alike; of equal ones the first.
    nearest, second : int64 ndarray, shape (N,)
        In how many bits that one differs, and the next.
    mutual : bool ndarray, shape (N,)
        Whether no other is more alike to that one; of equal ones the first counts.
    """

    best: NDArray[np.int64]
    nearest: NDArray[np.int64]
    second: NDArray[np.int64]
    mutual: NDArray[np.bool_]


@cache
def kernel() -> ModuleType | None:
    """Load what compares descriptors, if `load_backend` finds numba; None: it is left to numpy."""
    if load_backend() == "numpy":
        return None
    from . import _points_kernel

    return _points_kernel


def _signs(descriptors: NDArray[np.uint8]) -> NDArray[np.float32]:
    return _SIGNS_OF_BYTE.take(descriptors, axis=0).reshape(len(descriptors), -1)


def _words(descriptors: NDArray[np.uint8]) -> NDArray[np.uint64]:
    return np.ascontiguousarray(descriptors).view(np.uint64)


def neighbours(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> Neighbours:
    """Compare all descriptors of a picture with all of another.

    Parameters
    ----------
    a, b : uint8 ndarray, shape (N, 32) and (M, 32)
        Of at least two points each.

    Returns
    -------
    Neighbours
    """
    compiled = kernel()
    if compiled is None:
        return _neighbours(a, b)
    best, nearest, second = np.empty((3, len(a)), np.int64)
    found = Neighbours(best, nearest, second, np.empty(len(a), np.bool_))
    compiled.neighbours(_words(a), np.ascontiguousarray(_words(b).T), *found)
    return found


def _neighbours(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> Neighbours:
    """Do as `neighbours` does, in numpy."""
    bits, every = 8 * a.shape[1], np.arange(len(a))
    alike = _signs(a) @ _signs(b).T  # bits that agree less those that differ: exact in float32
    best = alike.argmax(axis=1)
    most = alike[every, best]
    mutual = np.ascontiguousarray(alike.T).argmax(axis=1)[best] == every
    alike[every, best] = -bits - 2
    nearest, second = (bits - np.stack([most, alike.max(axis=1)])).astype(np.int64) // 2
    return Neighbours(best, nearest, second, mutual)
