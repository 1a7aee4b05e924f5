"""The nearest among many fingerprints, by exhaustive comparison in plain numpy: paper, Algorithm 2.

Symbols are split into two planes of bits, packed into 64-bit words, words first. A pair differs
where ``(a_high ^ b_high) | (a_low ^ b_low)``: one population count for 64 symbols.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .symbols import A_SYMBOLS, SYMBOLS, Fingerprints, as_rows, unpack

__all__ = ["Metric", "Planes", "nearest", "planes_of"]

Metric = Literal["plain", "decision"]

_QUERIES, _PROTECTED = 16, 4096  # compared at a time: the working set stays in the cache
_WORDS = -(-SYMBOLS // 64)
_QUARTERS = 4 * SYMBOLS  # distances are counted in quarters of a symbol
_NOTHING = np.iinfo(np.int64).max
_INDEX_BITS = 48


class Planes(NamedTuple):
    """Bits of N fingerprints: each field uint64, shape (12, N)."""

    high: NDArray[np.uint64]
    low: NDArray[np.uint64]
    weak: NDArray[np.uint64]
    """D symbols 1 and 2."""


def _words(bits: NDArray[np.bool_]) -> NDArray[np.uint64]:
    padded = np.zeros((len(bits), _WORDS * 8), np.uint8)
    packed = np.packbits(bits, axis=1)
    padded[:, : packed.shape[1]] = packed
    return np.ascontiguousarray(padded.view(np.uint64).T)


def planes_of(rows: NDArray[np.uint8]) -> Planes:
    """Lay out fingerprints of shape (N, 180) for comparing."""
    symbols = unpack(rows)
    high, low = symbols >= 2, (symbols & 1).astype(np.bool_)
    weak = high ^ low
    weak[:, :A_SYMBOLS] = False
    return Planes(_words(high), _words(low), _words(weak))


def _quarters(queries: Planes, protected: Planes, metric: Metric) -> NDArray[np.uint16]:
    """Count the distance of every pair in quarters of a symbol, shape (Q, N)."""
    shape = (queries.high.shape[1], protected.high.shape[1])
    differing, agreeing = np.zeros(shape, np.uint16), np.zeros(shape, np.uint16)
    for word in range(_WORDS):
        differs = queries.high[word, :, None] ^ protected.high[word]
        differs |= queries.low[word, :, None] ^ protected.low[word]
        differing += np.bitwise_count(differs)
        if metric == "decision":
            agreeing += np.bitwise_count(protected.weak[word] & ~differs)
    return 4 * differing + agreeing


def nearest(
    queries: Fingerprints,
    protected: Fingerprints,
    *,
    k: int = 1,
    max_distance: float = 1.0,
    metric: Metric = "decision",
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Find the nearest protected fingerprints of each query.

    Parameters
    ----------
    queries, protected : uint8 ndarray, shape (Q, 180) and (N, 180), or sequence of bytes
    k : int
        How many to find for each query.
    max_distance : float
        None that is farther away is given.
    metric : {"decision", "plain"}
        `decision_distance` or `distance`.

    Returns
    -------
    distances : float32 ndarray, shape (Q, k)
        Ascending; ``inf`` where there is none.
    indices : int64 ndarray, shape (Q, k)
        Places in `protected`; of equal distances the smaller first, -1 where there is none.

    Raises
    ------
    ValueError
        Fingerprints of another size, or `k` below 1.
    """
    query_rows, protected_rows = as_rows(queries), as_rows(protected)
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    if metric not in ("plain", "decision"):
        raise ValueError(f"metric must be 'plain' or 'decision', not {metric!r}")
    # The very comparison that `verdict` makes, so that both always agree.
    limit = np.count_nonzero(np.arange(_QUARTERS + 1) / _QUARTERS <= max_distance) - 1
    # Distance and index share one integer: the smallest keys are the nearest, ties by index.
    best = np.full((len(query_rows), k), _NOTHING)
    query_planes = [
        planes_of(query_rows[at : at + _QUERIES]) for at in range(0, len(query_rows), _QUERIES)
    ]
    for start in range(0, len(protected_rows), _PROTECTED):
        protected_planes = planes_of(protected_rows[start : start + _PROTECTED])
        for block, planes in enumerate(query_planes):
            quarters = _quarters(planes, protected_planes, metric)
            found = best[block * _QUERIES : (block + 1) * _QUERIES]
            row, column = np.nonzero(quarters <= np.minimum(limit, found[:, -1:] >> _INDEX_BITS))
            if len(row):
                keys = np.full(quarters.shape, _NOTHING)
                keys[row, column] = (quarters[row, column].astype(np.int64) << _INDEX_BITS) + (
                    start + column
                )
                merged = np.concatenate([found, keys], axis=1)
                merged.partition(k - 1, axis=1)
                found[:] = np.sort(merged[:, :k], axis=1)
    none = best == _NOTHING
    distances = ((best >> _INDEX_BITS) / _QUARTERS).astype(np.float32)
    indices = best & ((1 << _INDEX_BITS) - 1)
    return np.where(none, np.float32(np.inf), distances), np.where(none, -1, indices)
