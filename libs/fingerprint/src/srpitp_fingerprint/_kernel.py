"""The search of blocks, compiled by numba.

Importing this module compiles it, or takes the machine code that an earlier process kept. Types
are loose here: numba takes its own from the signature.
"""

from typing import Any

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from ._comparing import LANES, VECTORS, differing_of_four, more_of_one, quarters_of
from ._sliced import (
    CHUNKS,
    PLANES,
    add_first,
    add_last,
    add_more,
    aligned,
    near,
    read,
    symbols_of,
    turn,
)
from .slab import BLOCK, WORDS
from .symbols import SYMBOLS

__all__ = ["scan"]

_CHUNK = 8  # blocks that all queries are compared with in turn: they stay in the cache
_QUARTERS_A_WORD = 38  # in which the nearest of 256 unrelated photos hardly ever differs more
_STEP = 2  # words after which one query alone looks again whether it can leave a block
_MANY = 64  # queries from which on it pays to turn blocks
_GROUP = 128  # queries whose sums stay in the cache

_Counts = NDArray[np.uint16]
_Marks = NDArray[np.bool_]
_Indices = NDArray[np.int64]


@njit(nogil=True, error_model="numpy")
def _least(counts: _Counts, row: int, start: int, stop: int) -> Any:
    least = counts[row, start]
    for place in range(start + 1, stop):
        least = min(least, counts[row, place])
    return least


@njit(nogil=True, error_model="numpy")
def _differing_of_one(
    planes: NDArray[np.uint16],
    block: int,
    queries: NDArray[np.uint32],
    query: int,
    worst: int,
    counts: _Counts,
) -> None:
    """Count in `counts[0]` what the records of a block differ in from one query.

    The block is left as soon as none can be nearer than `worst` any more. One query alone waits for
    memory: what it leaves need not be read. Beside others it does not pay, as the cache has it all.
    """
    counts[0] = 0
    begin, end = 0, WORDS
    if len(queries) == 1:
        end = max(1, min(worst // _QUARTERS_A_WORD, WORDS))
    while begin < end:
        more_of_one(planes, block, 0, begin, end, queries, query, counts, 0)
        begin = end
        if end < WORDS and 4 * _least(counts, 0, 0, BLOCK) < worst:
            end = min(end + _STEP, WORDS)


@njit(nogil=True, error_model="numpy")
def _keep(
    quarters: _Counts,
    block: int,
    vector: int,
    live: _Marks,
    first: int,
    best: _Counts,
    indices: _Indices,
) -> None:
    """Insert the nearest of 32 records among the best of a query; of equal ones the first."""
    last, start = len(best) - 1, block * BLOCK + vector * LANES
    for place in range(min(LANES, len(live) - start)):
        if quarters[place] < best[last] and live[start + place]:
            at = last
            while at > 0 and best[at - 1] > quarters[place]:
                best[at] = best[at - 1]
                indices[at] = indices[at - 1]
                at -= 1
            best[at] = quarters[place]
            indices[at] = first + start + place


@njit(nogil=True, error_model="numpy")
def _scan_few(
    planes: NDArray[np.uint16],
    live: _Marks,
    first: int,
    queries: NDArray[np.uint32],
    weighted: bool,
    best: _Counts,
    indices: _Indices,
    begin: int,
) -> None:
    """Do as `scan` does, from a block on: compare words, and count bits."""
    counts = np.empty((4, BLOCK), np.uint16)
    in_fours, last = len(queries) // 4 * 4, best.shape[1] - 1
    for start in range(begin, len(planes), _CHUNK):
        stop = min(start + _CHUNK, len(planes))
        query = 0
        while query < len(queries):
            lanes = 4 if query < in_fours else 1
            for block in range(start, stop):
                if lanes == 4:
                    differing_of_four(planes, block, 0, 0, WORDS, queries, query, counts, 0)
                    differing_of_four(planes, block, 4, 0, WORDS, queries, query, counts, 0)
                else:
                    _differing_of_one(planes, block, queries, query, best[query, last], counts)
                for lane in range(lanes):
                    # The decision distance is never below the plain one.
                    if 4 * _least(counts, lane, 0, BLOCK) >= best[query + lane, last]:
                        continue
                    for vector in range(VECTORS):
                        at = vector * LANES
                        if 4 * _least(counts, lane, at, at + LANES) >= best[query + lane, last]:
                            continue
                        here = counts[lane, at : at + LANES]
                        if weighted:
                            one = query + lane
                            quarters_of(planes, block, vector, 0, WORDS, queries, one, counts, lane)
                        else:
                            here *= np.uint16(4)
                        found = best[query + lane], indices[query + lane]
                        _keep(here, block, vector, live, first, *found)
            query += lanes


@njit(nogil=True, error_model="numpy")
def _begin(worst: int) -> Any:
    """Say where sums begin, so that what is not nearer than so many quarters reaches 1024."""
    return 1024 - (np.int64(worst) + 3) // 4


@njit(nogil=True, error_model="numpy")
def _sum_up(
    table: NDArray[np.uint32],
    symbols: NDArray[np.uint8],
    begin: int,
    open_: _Indices,
    sums: NDArray[np.uint32],
    best: _Counts,
) -> Any:
    """Sum up what 512 records differ in, for a group of queries; give how many are to be looked at.

    Sums begin so that they reach 1024 where a record is too far away. A query for which all do is
    left out from then on; the others are listed in `open_`, by their places in the group.
    """
    count, last = min(_GROUP, len(symbols) - begin), best.shape[1] - 1
    for place in range(count):
        open_[place] = place
    for step in range(CHUNKS):
        before, count = count, 0
        for number in range(before):
            place = open_[number]
            query = begin + place
            if step == 0:
                start = _begin(best[query, last])
                found = add_first(table, step, symbols, query, sums, place, start)
            elif step < CHUNKS - 1:
                found = add_more(table, step, symbols, query, sums, place, 0)
            else:
                found = add_last(table, step, symbols, query, sums, place, 0)
            if found:
                open_[count] = place
                count += 1
    return count


@njit(nogil=True, error_model="numpy")
def _scan_many(
    planes: NDArray[np.uint16],
    live: _Marks,
    first: int,
    queries: NDArray[np.uint32],
    weighted: bool,
    best: _Counts,
    indices: _Indices,
) -> None:
    """Do as `scan` does, but for the last block if their number is odd: add, see `_sliced`."""
    table = aligned(SYMBOLS * 4)
    sums = aligned(_GROUP * PLANES).reshape(_GROUP, PLANES, 16)
    symbols, open_ = symbols_of(queries), np.empty(_GROUP, np.int64)
    last = best.shape[1] - 1
    counts = np.empty((1, BLOCK), np.uint16)
    for block in range(0, len(planes) - 1, 2):
        turn(planes, block, table)
        for begin in range(0, len(queries), _GROUP):
            count = _sum_up(table, symbols, begin, open_, sums, best)
            for place in open_[:count]:
                query = begin + place
                halves = sums[place].view(np.uint16)
                start, some = _begin(best[query, last]), near(halves)
                for number in range(2 * VECTORS):
                    if not some >> number & 1:
                        continue
                    which, vector = block + number // VECTORS, number % VECTORS
                    here = counts[0, vector * LANES : (vector + 1) * LANES]
                    if weighted:
                        quarters_of(planes, which, vector, 0, WORDS, queries, query, counts, 0)
                    else:
                        read(halves, number, here)
                        for at in range(LANES):
                            here[at] = 4 * (here[at] - start)
                    _keep(here, which, vector, live, first, best[query], indices[query])


def _scan(
    planes: NDArray[np.uint16],
    live: _Marks,
    first: int,
    queries: NDArray[np.uint32],
    weighted: bool,
    best: _Counts,
    indices: _Indices,
) -> None:
    """Compare queries with consecutive blocks, and keep the nearest.

    Parameters
    ----------
    planes, live, first
        As in `slab.Part`.
    queries : uint32 ndarray, shape (Q, 45, 3)
        High bits, low bits and weak D symbols, 16 of them twice in each word.
    weighted : bool
        Whether to take the decision distance, rather than the plain one.
    best : uint16 ndarray, shape (Q, k)
        Ascending quarters of a symbol, of what was found before: it must be nearer to be kept.
    indices : int64 ndarray, shape (Q, k)
        Of the records at the distances `best`.
    """
    begin = 0
    if len(queries) >= _MANY:
        begin = len(planes) // 2 * 2
        _scan_many(planes, live, first, queries, weighted, best, indices)
    _scan_few(planes, live, first, queries, weighted, best, indices, begin)


_SIGNATURE = types.void(
    types.uint16[:, :, :, ::1],
    types.boolean[::1],
    types.int64,
    types.uint32[:, :, ::1],
    types.boolean,
    types.uint16[:, ::1],
    types.int64[:, ::1],
)


try:
    scan = njit(_SIGNATURE, nogil=True, error_model="numpy", cache=True)(_scan)
except (RuntimeError, OSError):  # there is no folder to keep machine code in, or no room
    scan = njit(_SIGNATURE, nogil=True, error_model="numpy")(_scan)
