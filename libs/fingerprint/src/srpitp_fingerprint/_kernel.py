"""The search of blocks, compiled by numba: what Python's type checker cannot follow.

Importing this module compiles it, or takes the machine code that an earlier process kept.
"""

import itertools
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from .slab import BLOCK, WORDS

__all__ = ["scan"]

_CHUNK = 8  # blocks that all queries are compared with in turn: they stay in the cache

# Vectors of 512 bits, which LLVM divides for processors that have shorter ones.
_BITS = ir.VectorType(ir.IntType(32), 16)
_COUNTS = ir.VectorType(ir.IntType(16), 32)
_VECTORS = BLOCK // _COUNTS.count  # for one word and plane of a block
_PLACE = ir.IntType(64)
_Counts = NDArray[np.uint16]
_Marks = NDArray[np.bool_]
_Indices = NDArray[np.int64]

_NONE = ir.Constant(ir.IntType(32), 0)


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
        first = self.builder.insert_element(empty, value, _NONE)
        places = ir.Constant(ir.VectorType(ir.IntType(32), _BITS.count), [0] * _BITS.count)
        return self.builder.shuffle_vector(first, empty, places)

    def count_bits(self, bits: Any) -> Any:
        """Count the bits of every 16."""
        function = cgutils.get_or_insert_function(
            self.builder.module, ir.FunctionType(_COUNTS, [_COUNTS]), "llvm.ctpop.v32i16"
        )
        return self.builder.call(function, [self.builder.bitcast(bits, _COUNTS)])

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


def _counting(lanes: int, tile: int, weighted: bool) -> Any:
    """Make a function of numba that compares one block with some queries.

    Parameters
    ----------
    lanes : int
        Queries at a time.
    tile : int
        Vectors of records at a time; with `lanes` sums for each, all sums stay in registers.
    weighted : bool
        Whether to count quarters of a symbol by the decision distance, rather than symbols.

    Returns
    -------
    function
        Of ``block``, uint16 (45, 2, 256), ``queries``, uint32 (lanes, 45, 3), and ``counts``,
        uint16 (lanes, 256), which it fills.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emitter = _Emitter(builder)
        block, queries, counts = (
            builder.bitcast(
                cgutils.create_struct_proxy(kind)(context, builder, value=value).data,
                item.as_pointer(),
            )
            for kind, value, item in zip(
                signature.args, arguments, (_BITS, ir.IntType(32), _COUNTS), strict=True
            )
        )

        def at(start: Any, distance: int) -> Any:
            return builder.add(start, ir.Constant(_PLACE, distance))

        def differing(vectors: tuple[Any, Any], query: tuple[Any, Any]) -> Any:
            return builder.or_(builder.xor(vectors[0], query[0]), builder.xor(vectors[1], query[1]))

        def weigh(differs: Any, weak: Any) -> Any:
            full = builder.shl(emitter.count_bits(differs), ir.Constant(_COUNTS, [2] * 32))
            agreeing = builder.and_(weak, builder.not_(differs))
            return builder.add(full, emitter.count_bits(agreeing))

        with cgutils.for_range(builder, ir.Constant(_PLACE, _VECTORS // tile)) as tiles:
            start = builder.mul(tiles.index, ir.Constant(_PLACE, tile))
            sums = [
                [cgutils.alloca_once(builder, _COUNTS) for _ in range(tile)] for _ in range(lanes)
            ]
            for one in itertools.chain(*sums):
                builder.store(ir.Constant(_COUNTS, [0] * _COUNTS.count), one)
            with cgutils.for_range(builder, ir.Constant(_PLACE, WORDS)) as words:
                row = builder.add(
                    start, builder.mul(words.index, ir.Constant(_PLACE, 2 * _VECTORS))
                )
                high = [emitter.load(block, at(row, k)) for k in range(tile)]
                low = [emitter.load(block, at(row, k + _VECTORS)) for k in range(tile)]
                if lanes > 1:  # one query alone waits for memory in any case
                    for k in range(tile):
                        emitter.fetch(block, at(row, k + 2 * _VECTORS * WORDS))
                        emitter.fetch(block, at(row, k + _VECTORS + 2 * _VECTORS * WORDS))
                for lane in range(lanes):
                    place = at(builder.mul(words.index, ir.Constant(_PLACE, 3)), lane * 3 * WORDS)
                    query = tuple(emitter.everywhere(queries, at(place, k)) for k in range(3))
                    for k, total in enumerate(sums[lane]):
                        differs = differing((high[k], low[k]), query[:2])
                        more = weigh(differs, query[2]) if weighted else emitter.count_bits(differs)
                        builder.store(builder.add(builder.load(total), more), total)
            for lane in range(lanes):
                for k, total in enumerate(sums[lane]):
                    emitter.store(builder.load(total), counts, at(start, lane * _VECTORS + k))
        return context.get_dummy_value()

    @intrinsic
    def count(_: Any, block: Any, queries: Any, counts: Any) -> Any:
        return types.void(block, queries, counts), emit

    return count


_differing_of_four = _counting(lanes=4, tile=4, weighted=False)
_differing_of_one = _counting(lanes=1, tile=_VECTORS, weighted=False)
_quarters_of_one = _counting(lanes=1, tile=_VECTORS, weighted=True)


@njit(nogil=True, error_model="numpy")
def _keep(counts: _Counts, live: _Marks, first: int, best: _Counts, indices: _Indices) -> None:
    """Insert the nearest of a block among the best of a query; of equal ones the first."""
    last = len(best) - 1
    for place in range(len(live)):
        quarters = counts[place]
        if quarters < best[last] and live[place]:
            at = last
            while at > 0 and best[at - 1] > quarters:
                best[at] = best[at - 1]
                indices[at] = indices[at - 1]
                at -= 1
            best[at] = quarters
            indices[at] = first + place


@njit(nogil=True, error_model="numpy")
def _judge(
    block: NDArray[np.uint16],
    query: NDArray[np.uint32],
    counts: _Counts,
    weighted: bool,
    live: _Marks,
    first: int,
    best: _Counts,
    indices: _Indices,
) -> None:
    """Look closer at a block if any of it may be near enough; few are."""
    least = counts[0]
    for place in range(1, BLOCK):
        least = min(least, counts[place])
    # The decision distance is never below the plain one.
    if 4 * least >= best[len(best) - 1]:
        return
    if weighted:
        _quarters_of_one(block, query, counts)
    else:
        for place in range(BLOCK):
            counts[place] *= np.uint16(4)
    _keep(counts, live, first, best, indices)


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
    counts = np.empty((4, BLOCK), np.uint16)
    in_fours = len(queries) // 4 * 4
    for start in range(0, len(planes), _CHUNK):
        stop = min(start + _CHUNK, len(planes))
        for query in range(0, in_fours, 4):
            for number in range(start, stop):
                _differing_of_four(planes[number], queries[query : query + 4], counts)
                here = live[number * BLOCK : (number + 1) * BLOCK]
                for lane in range(4):
                    _judge(
                        planes[number],
                        queries[query + lane],
                        counts[lane],
                        weighted,
                        here,
                        first + number * BLOCK,
                        best[query + lane],
                        indices[query + lane],
                    )
        for query in range(in_fours, len(queries)):
            for number in range(start, stop):
                _differing_of_one(planes[number], queries[query : query + 1], counts[:1])
                _judge(
                    planes[number],
                    queries[query],
                    counts[0],
                    weighted,
                    live[number * BLOCK : (number + 1) * BLOCK],
                    first + number * BLOCK,
                    best[query],
                    indices[query],
                )


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
