"""Comparing words and counting bits, for some queries at once: vector code for `_kernel`.

Types are loose here: numba takes its own from the signature.
"""

import itertools
from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .slab import BLOCK, WORDS

__all__ = ["LANES", "VECTORS", "differing_of_four", "more_of_one", "quarters_of"]

# Vectors of 512 bits, which LLVM divides for processors that have shorter ones.
_BITS = ir.VectorType(ir.IntType(32), 16)
_COUNTS = ir.VectorType(ir.IntType(16), 32)
LANES = _COUNTS.count
"""Records in a vector."""
VECTORS = BLOCK // LANES
"""For one word and plane of a block."""
_PLACE = ir.IntType(64)


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
        four = builder.shl(self.count_bits(differing), ir.Constant(_COUNTS, [2] * LANES))
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
            place((row, VECTORS), (vector, 1), further=lane * VECTORS + k)
            for lane in range(lanes)
            for k in range(tile)
        ]
        for one, target in zip(itertools.chain(*sums), targets, strict=True):
            none = ir.Constant(_COUNTS, [0] * LANES)
            builder.store(emitter.load(counts, target) if adding else none, one)
        with cgutils.for_range_slice(builder, begin, end, ir.Constant(_PLACE, 1)) as (word, _):
            here = (block, WORDS * 2 * VECTORS), (word, 2 * VECTORS), (vector, 1)
            high = [emitter.load(planes, place(*here, further=k)) for k in range(tile)]
            low = [emitter.load(planes, place(*here, further=k + VECTORS)) for k in range(tile)]
            if tile > 1:
                # Of the next block, which is likely to be left at the same word.
                for k in itertools.chain(range(tile), range(VECTORS, VECTORS + tile)):
                    emitter.fetch(planes, place(*here, further=k + WORDS * 2 * VECTORS))
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


differing_of_four = _comparing(lanes=4, tile=4)
more_of_one = _comparing(lanes=1, tile=VECTORS, adding=True)
quarters_of = _comparing(lanes=1, tile=1, weighted=True)
