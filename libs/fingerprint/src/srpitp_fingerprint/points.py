"""Which points look alike: descriptors compared bit by bit, compiled by numba or in numpy."""

from functools import cache
from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .search import load_backend

__all__ = ["Neighbours", "kernel", "neighbours"]


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
    apart = np.zeros((len(a), len(b)), np.uint16)
    for one, other in zip(_words(a).T[..., None], _words(b).T, strict=True):
        apart += np.bitwise_count(one ^ other)
    every = np.arange(len(a))
    best = apart.argmin(axis=1)
    mutual = apart.argmin(axis=0)[best] == every
    nearest = apart[every, best].astype(np.int64)
    apart[every, best] = 8 * a.shape[1] + 1
    return Neighbours(best, nearest, apart.min(axis=1).astype(np.int64), mutual)
