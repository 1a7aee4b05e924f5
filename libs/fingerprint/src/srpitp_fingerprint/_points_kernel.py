"""Comparisons of descriptors, compiled by numba; `points` has the same in numpy.

Importing this module compiles it, or takes the machine code that an earlier process kept. Types
are loose here: numba takes its own from the signatures.
"""

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

__all__ = ["filed_near", "neighbours"]

_NONE = 1 << 40  # larger than any distance and place
_PLACE_BITS = 20
_PLACES = (1 << _PLACE_BITS) - 1


def _counting_bits() -> Any:
    """Make a function for numba: where the processor counts several words at a time, so does it."""

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    @intrinsic
    def bits(_: Any, word: Any) -> Any:
        return types.uint64(word), emit

    return bits


_bits = _counting_bits()


def _neighbours(
    a: NDArray[np.uint64],
    b: NDArray[np.uint64],
    best: NDArray[np.int64],
    nearest: NDArray[np.int64],
    second: NDArray[np.int64],
    mutual: NDArray[np.bool_],
) -> None:
    """Fill what `points.neighbours` gives; `b` has the four words of a descriptor in rows."""
    count = b.shape[1]
    keys, own = np.empty(count, np.int64), np.full(count, _NONE)
    for i in range(len(a)):
        w, x, y, z = a[i, 0], a[i, 1], a[i, 2], a[i, 3]
        for j in range(count):
            apart = np.int64(
                _bits(w ^ b[0, j]) + _bits(x ^ b[1, j]) + _bits(y ^ b[2, j]) + _bits(z ^ b[3, j])
            )
            keys[j] = apart << _PLACE_BITS | j
            own[j] = min(own[j], apart << _PLACE_BITS | i)
        least = keys[0]
        for j in range(1, count):
            least = min(least, keys[j])
        best[i], nearest[i] = least & _PLACES, least >> _PLACE_BITS
        keys[best[i]] = _NONE
        least = keys[0]
        for j in range(1, count):
            least = min(least, keys[j])
        second[i] = least >> _PLACE_BITS
    for i in range(len(a)):
        mutual[i] = own[best[i]] & _PLACES == i


def _filed_near(
    queries: NDArray[np.uint64],
    keys: NDArray[np.int64],
    heads: NDArray[np.int32],
    counts: NDArray[np.int32],
    following: NDArray[np.int32],
    words: NDArray[np.uint64],
    first_word: NDArray[np.uint64],
    place: NDArray[np.int32],
    live: NDArray[np.bool_],
    crowded: int,
    farthest_word: int,
    farthest: int,
) -> NDArray[np.int64]:
    """Give pairs of a query's number (high bits) and the place of a point near to it."""
    chains = keys.size
    query, table = np.empty(chains, np.int64), np.empty(chains, np.int64)
    point, left, room = np.empty(chains, np.int64), 0, 0
    for number in range(len(queries)):
        for column in range(keys.shape[1]):
            count = counts[keys[number, column]]
            if 0 < count <= crowded:
                query[left], table[left] = number, column
                point[left] = heads[keys[number, column]] - 1
                left += 1
                room += count
    found, total = np.empty(room, np.int64), 0
    while left:
        # All chains are followed at once: the processor waits for many reads together.
        for chain in range(left):
            number, here = query[chain], point[chain]
            apart = _bits(first_word[here] ^ queries[number, 0])
            if apart <= farthest_word and live[here]:
                for word in range(1, 4):
                    apart += _bits(words[here, word] ^ queries[number, word])
                if apart <= farthest:
                    found[total] = number << 32 | place[here]
                    total += 1
        on = 0
        for chain in range(left):
            after = following[point[chain], table[chain]] - 1
            query[on], table[on], point[on] = query[chain], table[chain], after
            on += after >= 0
        left = on
    return found[:total]


def _given(dtype: Any, dimensions: int) -> Any:
    """Type an array that is only read: it may lie in a mapped file."""
    return types.Array(dtype, dimensions, "C", readonly=True)


_OF_NEIGHBOURS = types.void(
    _given(types.uint64, 2),
    _given(types.uint64, 2),
    types.int64[::1],
    types.int64[::1],
    types.int64[::1],
    types.boolean[::1],
)
_OF_FILED = types.int64[::1](
    _given(types.uint64, 2),
    _given(types.int64, 2),
    _given(types.int32, 1),
    _given(types.int32, 1),
    _given(types.int32, 2),
    _given(types.uint64, 2),
    _given(types.uint64, 1),
    _given(types.int32, 1),
    _given(types.boolean, 1),
    types.int64,
    types.int64,
    types.int64,
)


def _compiled(signature: Any, function: Any) -> Any:
    try:
        return njit(signature, nogil=True, error_model="numpy", cache=True)(function)
    except (RuntimeError, OSError):  # there is no folder to keep machine code in, or no room
        return njit(signature, nogil=True, error_model="numpy")(function)


neighbours = _compiled(_OF_NEIGHBOURS, _neighbours)
filed_near = _compiled(_OF_FILED, _filed_near)
