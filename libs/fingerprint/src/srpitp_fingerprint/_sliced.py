"""Counting without counting bits: what `_kernel` does when there are many queries.

Two blocks are turned, so that a vector holds one bit of each of their 512 records. For each symbol
there are four such vectors, which mark the records that differ from a query with a 0, 1, 2 or 3
there. So how many symbols of each record differ is a sum of 720 vectors, which full adders sum up:
bits of the same weight of 512 sums lie in a vector. That is two instructions for each symbol, where
comparing and counting 16 at a time take four of each 32 records.

Types are loose here: numba takes its own from the signature.
"""

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from .slab import BLOCK, WORDS
from .symbols import SYMBOLS

__all__ = [
    "CHUNKS",
    "PLANES",
    "add_first",
    "add_last",
    "add_more",
    "aligned",
    "near",
    "read",
    "symbols_of",
    "turn",
]

CHUNKS = 8
"""Steps in which symbols are summed up: what one looks at stays in the nearest cache."""
_STEP = SYMBOLS // CHUNKS
_WEIGHTS = 10  # bits of a sum
PLANES = _WEIGHTS + 1
"""Vectors of a row of sums; the last one marks those that are 1024 or more."""

_LINE = 64  # bytes of a vector
_BITS = ir.VectorType(ir.IntType(32), 16)
_LANES = ir.VectorType(ir.IntType(16), 32)
_PLACE, _BYTE, _NUMBER = ir.IntType(64), ir.IntType(8), ir.IntType(32)
_IN_BLOCK = BLOCK // _LANES.count  # vectors for one word and plane
_HALVES = (8, 0x00FF), (4, 0x0F0F), (2, 0x3333), (1, 0x5555)


def _constant(number: int) -> Any:
    return ir.Constant(_PLACE, number)


def _everywhere(kind: Any, number: int) -> Any:
    return ir.Constant(kind, [number] * kind.count)


class _Emitter:
    """Emits vector code from the arguments of a function."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        self.builder = builder
        self._context, self._kinds, self._arguments = context, signature.args, arguments
        self._has_ternary = "+avx512f" in context.codegen().magic_tuple()[2]

    def at(self, number: int, *offsets: tuple[Any, int]) -> Any:
        """Point into the memory of an array: by bytes, each offset times its step."""
        array = cgutils.create_struct_proxy(self._kinds[number])
        data = array(self._context, self.builder, value=self._arguments[number]).data
        total = _constant(0)
        for offset, step in offsets:
            total = self.builder.add(total, self.builder.mul(offset, _constant(step)))
        return self.builder.gep(self.builder.bitcast(data, _BYTE.as_pointer()), [total])

    def load(self, pointer: Any, offset: Any, kind: Any = _BITS) -> Any:
        """Load a vector so many bytes further, aligned or not."""
        address = self._vector(pointer, offset, kind)
        vector = self.builder.load(address)
        vector.align = 2
        return vector

    def store(self, vector: Any, pointer: Any, offset: int) -> None:
        self.builder.store(vector, self._vector(pointer, _constant(offset), vector.type)).align = 2

    def _vector(self, pointer: Any, offset: Any, kind: Any) -> Any:
        return self.builder.bitcast(self.builder.gep(pointer, [offset]), kind.as_pointer())

    def add(self, *bits: Any) -> tuple[Any, Any]:
        """Sum up two or three vectors of bits: the sums, and what is carried."""
        builder = self.builder
        if len(bits) == 2:
            return builder.xor(*bits), builder.and_(*bits)
        if self._has_ternary:  # LLVM takes four instructions for it by itself
            return self._ternary(bits, 0x96), self._ternary(bits, 0xE8)
        first, second, third = bits
        differ = builder.xor(second, third)
        both = builder.and_(second, third)
        return builder.xor(differ, first), builder.or_(both, builder.and_(differ, first))

    def _ternary(self, bits: Sequence[Any], table: int) -> Any:
        function = cgutils.get_or_insert_function(
            self.builder.module,
            ir.FunctionType(_BITS, [_BITS, _BITS, _BITS, _NUMBER]),
            "llvm.x86.avx512.pternlog.d.512",
        )
        return self.builder.call(function, [*bits, ir.Constant(_NUMBER, table)])

    def spread(self, number: Any, bit: int) -> Any:
        """Fill a vector with one bit of a number."""
        builder = self.builder
        shifted = builder.trunc(builder.lshr(number, _constant(bit)), _NUMBER)
        mask = builder.neg(builder.and_(shifted, ir.Constant(_NUMBER, 1)))
        empty = ir.Constant(_BITS, ir.Undefined)
        first = builder.insert_element(empty, mask, ir.Constant(_NUMBER, 0))
        return builder.shuffle_vector(first, empty, _everywhere(ir.VectorType(_NUMBER, 16), 0))

    def any_unset(self, bits: Any) -> Any:
        """Tell whether any bit of a vector is not set."""
        unset = self.builder.icmp_unsigned("!=", bits, _everywhere(_BITS, 0xFFFFFFFF))
        marks = self.builder.bitcast(unset, ir.IntType(16))
        return self.builder.icmp_unsigned("!=", marks, ir.Constant(ir.IntType(16), 0))


def _swap(emitter: _Emitter, rows: list[Any]) -> list[Any]:
    """Turn 16 vectors of words into 16 of bits: bit j of word i becomes bit i of word j."""
    builder = emitter.builder
    for step, mask in _HALVES:
        low, high = _everywhere(_LANES, mask), _everywhere(_LANES, mask << step)
        by = _everywhere(_LANES, step)
        for one in range(16):
            if one & step:
                continue
            a, b = rows[one], rows[one + step]
            up, down = builder.shl(b, by), builder.lshr(a, by)
            rows[one] = builder.or_(builder.and_(a, low), builder.and_(up, high))
            rows[one + step] = builder.or_(builder.and_(down, low), builder.and_(b, high))
    return rows


def _turn(_: Any, planes: Any, block: Any, table: Any) -> Any:
    """Turn a block of `planes` and the next: fill `table`, shape (720, 4, 16), of 32-bit words.

    Record ``32 * i + j`` of the 512 is bit i of the 16-bit word j of a vector.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emitter = _Emitter(context, builder, signature, arguments)
        with cgutils.for_range(builder, _constant(WORDS)) as words:
            line = WORDS * 2 * BLOCK * 2
            source = emitter.at(0, (arguments[1], line), (words.index, 4 * BLOCK))
            target = emitter.at(2, (words.index, 16 * 4 * _LINE))
            bits = []
            for plane in range(2):
                offsets = [
                    number // _IN_BLOCK * line + 2 * BLOCK * plane + number % _IN_BLOCK * _LINE
                    for number in range(16)
                ]
                rows = [emitter.load(source, _constant(offset), _LANES) for offset in offsets]
                bits.append(_swap(emitter, rows))
            for symbol, (high, low) in enumerate(zip(*bits, strict=True)):
                differing = (
                    builder.or_(high, low),
                    builder.or_(high, builder.not_(low)),
                    builder.or_(builder.not_(high), low),
                    builder.not_(builder.and_(high, low)),
                )
                for value, marks in enumerate(differing):
                    emitter.store(marks, target, (4 * symbol + value) * _LINE)
        return context.get_dummy_value()

    return types.void(planes, block, table), emit


turn: Any = intrinsic(_turn)


def _sum(emitter: _Emitter, sums: list[Any], more: Iterable[Any]) -> list[Any]:
    """Add vectors of bits to sums, whose planes go from the lowest weight to the marks above."""
    waiting: list[list[Any]] = [[plane] for plane in sums[:-1]]
    above = sums[-1]

    def carry(weight: int, bits: Any) -> None:
        nonlocal above
        if weight == _WEIGHTS:
            above = emitter.builder.or_(above, bits)
            return
        waiting[weight].append(bits)
        if len(waiting[weight]) == 3:
            settle(weight)

    def settle(weight: int) -> None:
        total, carried = emitter.add(*waiting[weight])
        waiting[weight] = [total]
        carry(weight + 1, carried)

    for bits in more:
        carry(0, bits)
    for weight in range(_WEIGHTS):
        if len(waiting[weight]) == 2:
            settle(weight)
    return [*(plane for [plane] in waiting), above]


def _adding(first: bool, last: bool) -> Any:
    """Make a function that adds the symbols of one step to the sums of a query.

    Parameters
    ----------
    first : bool
        Whether the sums begin here, at a number that is given.
    last : bool
        Whether they end here: then they are kept only if any is below 1024.

    Returns
    -------
    function
        Of `table`, the number of the step; `symbols`, the number of a query; `sums`, a row there,
        and at which number the sums begin. It tells whether any sum is below 1024 still.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emitter = _Emitter(context, builder, signature, arguments)
        _, step, _, query, _, row, start = arguments
        table = emitter.at(0, (step, _STEP * 4 * _LINE))
        symbols = emitter.at(2, (query, SYMBOLS), (step, _STEP))
        kept = emitter.at(4, (row, PLANES * _LINE))

        def differing(number: int) -> Any:
            symbol = builder.load(builder.gep(symbols, [_constant(number)]))
            here = builder.gep(table, [builder.zext(symbol, _PLACE)])
            return emitter.load(here, _constant(number * 4 * _LINE))

        sums = [
            emitter.spread(start, plane) if first else emitter.load(kept, _constant(plane * _LINE))
            for plane in range(PLANES)
        ]
        # One after the other, so that few are in registers at a time.
        sums = _sum(emitter, sums, map(differing, range(_STEP)))
        found = emitter.any_unset(sums[-1])
        with builder.if_then(found) if last else nullcontext():
            for plane, bits in enumerate(sums):
                emitter.store(bits, kept, plane * _LINE)
        return found

    @intrinsic
    def add(
        _: Any,
        table: Any,
        step: Any,
        symbols: Any,
        query: Any,
        sums: Any,
        row: Any,
        start: Any,
    ) -> Any:
        return types.boolean(table, step, symbols, query, sums, row, start), emit

    return add


add_first = _adding(first=True, last=False)
add_more = _adding(first=False, last=False)
add_last = _adding(first=False, last=True)


@njit(nogil=True, error_model="numpy")
def aligned(lines: int) -> Any:
    """Make room for vectors, each in one line of the cache: others take half as long again."""
    words = np.empty((lines + 1) * (_LINE // 4), np.uint32)
    begin = (-words.ctypes.data // 4) % (_LINE // 4)
    return words[begin : begin + lines * (_LINE // 4)]


@njit(nogil=True, error_model="numpy")
def symbols_of(queries: NDArray[np.uint32]) -> Any:
    """List the symbols of queries, each as the place in a table's row: in bytes."""
    symbols = np.empty((len(queries), SYMBOLS), np.uint8)
    for query in range(len(queries)):
        for word in range(WORDS):
            high, low = queries[query, word, 0], queries[query, word, 1]
            for bit in range(16):
                value = ((high >> bit) & 1) << 1 | ((low >> bit) & 1)
                symbols[query, 16 * word + bit] = value * _LINE
    return symbols


@njit(nogil=True, error_model="numpy")
def near(sums: NDArray[np.uint16]) -> Any:
    """Tell in which of 16 times 32 records any is near: a bit for each, of sums below 1024."""
    found = np.uint16(0)
    for above in sums[PLANES - 1]:
        found |= ~above
    return found


@njit(nogil=True, error_model="numpy")
def read(sums: NDArray[np.uint16], bit: int, counts: NDArray[np.uint16]) -> None:
    """Read 32 sums; those above 1024 lack that."""
    counts[:] = 0
    for weight in range(_WEIGHTS):
        for place in range(len(counts)):
            counts[place] |= ((sums[weight, place] >> bit) & np.uint16(1)) << np.uint16(weight)
