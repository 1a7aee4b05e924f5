"""The search of blocks, compiled by numba.

Importing this module compiles it, or takes the machine code that an earlier process kept. Types
are loose here: numba takes its own from the signature.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

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

# Vectors of 512 bits, which LLVM divides for processors that have shorter ones.
_BITS = ir.VectorType(ir.IntType(32), 16)
_COUNTS = ir.VectorType(ir.IntType(16), 32)
_LANES = _COUNTS.count  # records in a vector
_VECTORS = BLOCK // _LANES  # for one word and plane of a block
_PLACE = ir.IntType(64)
_Counts = NDArray[np.uint16]
_Marks = NDArray[np.bool_]
_Indices = NDArray[np.int64]


class _Emitter:
    """Emits vector code: numba by itself would count bits in 64-bit words, one after another."""

    def __init__(self, builder: Any) -> None:
        self.builder = builder

    def load(self, base: Any, place: Any) -> Any:
        """Load a vector from memory, aligned or not."""
        vector = self.builder.load(self.builder.gep(base, [place]))
        vector.align = 2
        return vector

    def store(self, vector: Any, base: Any, place: Any) -> None:
        self.builder.store(vector, self.builder.gep(base, [place])).align = 2

    def everywhere(self, base: Any, place: Any) -> Any:
        """Load 32 bits into every place of a vector; the processor does so on the way."""
        value = self.builder.load(self.builder.gep(base, [place]))
        empty = ir.Constant(_BITS, ir.Undefined)
        first = self.builder.insert_element(empty, value, ir.Constant(ir.IntType(32), 0))
        places = ir.Constant(ir.VectorType(ir.IntType(32), _BITS.count), [0] * _BITS.count)
        return self.builder.shuffle_vector(first, empty, places)

    def differing(self, high: Any, low: Any, query: Sequence[Any]) -> Any:
        """Mark the symbols that differ from a query's."""
        builder = self.builder
        return builder.or_(builder.xor(high, query[0]), builder.xor(low, query[1]))

    def count_bits(self, bits: Any) -> Any:
        """Count the bits of every 16."""
        function = cgutils.get_or_insert_function(
            self.builder.module, ir.FunctionType(_COUNTS, [_COUNTS]), "llvm.ctpop.v32i16"
        )
        return self.builder.call(function, [self.builder.bitcast(bits, _COUNTS)])

    def quarters(self, differing: Any, weak: Any) -> Any:
        """Count 4 for each symbol that differs, and 1 for each weak one that does not."""
        builder = self.builder
        agreeing = builder.and_(weak, builder.not_(differing))
        four = builder.shl(self.count_bits(differing), ir.Constant(_COUNTS, [2] * _LANES))
        return builder.add(four, self.count_bits(agreeing))

    def fetch(self, base: Any, place: Any) -> None:
        """Let memory begin to read what will be needed soon."""
        pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        function = cgutils.get_or_insert_function(
            self.builder.module,
            ir.FunctionType(ir.VoidType(), [pointer, number, number, number]),
            "llvm.prefetch.p0",
        )
        address = self.builder.bitcast(self.builder.gep(base, [place]), pointer)
        to_read, near, data = (ir.Constant(number, value) for value in (0, 2, 1))
        self.builder.call(function, [address, to_read, near, data])


def _comparing(lanes: int, tile: int, *, weighted: bool = False, adding: bool = False) -> Any:
    """Make a function for `scan` that compares records of one block with some queries.

    Parameters
    ----------
    lanes : int
        Queries at a time.
    tile : int
        Vectors of 32 records at a time. A sum for each, and each lane, stays in a register.
    weighted : bool
        Whether to count quarters of a symbol by the decision distance, rather than symbols.
    adding : bool
        Whether to add to the counts that there are, rather than to begin at 0.

    Returns
    -------
    function
        Of `planes`, the number of a block, that of the first vector; the words from which on and up
        to which it compares; `queries`, the number of the first of them; `counts`, and the row from
        which on it is filled.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emitter = _Emitter(builder)
        _, block, vector, begin, end, _, query, _, row = arguments

        def items(number: int, item: Any) -> Any:
            array = cgutils.create_struct_proxy(signature.args[number])
            data = array(context, builder, value=arguments[number]).data
            return builder.bitcast(data, item.as_pointer())

        def place(*terms: tuple[Any, int], further: int = 0) -> Any:
            total = ir.Constant(_PLACE, further)
            for value, step in terms:
                total = builder.add(total, builder.mul(value, ir.Constant(_PLACE, step)))
            return total

        planes, queries, counts = items(0, _BITS), items(5, ir.IntType(32)), items(7, _COUNTS)
        sums = [[cgutils.alloca_once(builder, _COUNTS) for _ in range(tile)] for _ in range(lanes)]
        targets = [
            place((row, _VECTORS), (vector, 1), further=lane * _VECTORS + k)
            for lane in range(lanes)
            for k in range(tile)
        ]
        for one, target in zip(itertools.chain(*sums), targets, strict=True):
            none = ir.Constant(_COUNTS, [0] * _LANES)
            builder.store(emitter.load(counts, target) if adding else none, one)
        with cgutils.for_range_slice(builder, begin, end, ir.Constant(_PLACE, 1)) as (word, _):
            here = (block, WORDS * 2 * _VECTORS), (word, 2 * _VECTORS), (vector, 1)
            high = [emitter.load(planes, place(*here, further=k)) for k in range(tile)]
            low = [emitter.load(planes, place(*here, further=k + _VECTORS)) for k in range(tile)]
            if tile > 1:
                # Of the next block, which is likely to be left at the same word.
                for k in itertools.chain(range(tile), range(_VECTORS, _VECTORS + tile)):
                    emitter.fetch(planes, place(*here, further=k + WORDS * 2 * _VECTORS))
            for lane in range(lanes):
                there = (query, WORDS * 3), (word, 3)
                three = [
                    emitter.everywhere(queries, place(*there, further=lane * WORDS * 3 + k))
                    for k in range(3 if weighted else 2)
                ]
                for k, total in enumerate(sums[lane]):
                    differing = emitter.differing(high[k], low[k], three)
                    more = (
                        emitter.quarters(differing, three[2])
                        if weighted
                        else emitter.count_bits(differing)
                    )
                    builder.store(builder.add(builder.load(total), more), total)
        for one, target in zip(itertools.chain(*sums), targets, strict=True):
            emitter.store(builder.load(one), counts, target)
        return context.get_dummy_value()

    @intrinsic
    def compare(
        _: Any,
        planes: Any,
        block: Any,
        vector: Any,
        begin: Any,
        end: Any,
        queries: Any,
        query: Any,
        counts: Any,
        row: Any,
    ) -> Any:
        void = types.void(planes, block, vector, begin, end, queries, query, counts, row)
        return void, emit

    return compare


_differing_of_four = _comparing(lanes=4, tile=4)
_more_of_one = _comparing(lanes=1, tile=_VECTORS, adding=True)
_quarters = _comparing(lanes=1, tile=1, weighted=True)


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
        _more_of_one(planes, block, 0, begin, end, queries, query, counts, 0)
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
    last, start = len(best) - 1, block * BLOCK + vector * _LANES
    for place in range(min(_LANES, len(live) - start)):
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
                    _differing_of_four(planes, block, 0, 0, WORDS, queries, query, counts, 0)
                    _differing_of_four(planes, block, 4, 0, WORDS, queries, query, counts, 0)
                else:
                    _differing_of_one(planes, block, queries, query, best[query, last], counts)
                for lane in range(lanes):
                    # The decision distance is never below the plain one.
                    if 4 * _least(counts, lane, 0, BLOCK) >= best[query + lane, last]:
                        continue
                    for vector in range(_VECTORS):
                        at = vector * _LANES
                        if 4 * _least(counts, lane, at, at + _LANES) >= best[query + lane, last]:
                            continue
                        here = counts[lane, at : at + _LANES]
                        if weighted:
                            one = query + lane
                            _quarters(planes, block, vector, 0, WORDS, queries, one, counts, lane)
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
                for number in range(2 * _VECTORS):
                    if not some >> number & 1:
                        continue
                    which, vector = block + number // _VECTORS, number % _VECTORS
                    here = counts[0, vector * _LANES : (vector + 1) * _LANES]
                    if weighted:
                        _quarters(planes, which, vector, 0, WORDS, queries, query, counts, 0)
                    else:
                        read(halves, number, here)
                        for at in range(_LANES):
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
