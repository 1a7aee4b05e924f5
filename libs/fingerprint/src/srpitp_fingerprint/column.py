"""Arrays that grow, and keys that are looked up in them."""

from typing import Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Column", "Keys"]

_GROWTH, _FEWEST = 1.5, 64
_UNSORTED = 4096  # keys that are looked through one by one, at least

_Scalar = TypeVar("_Scalar", bound=np.generic)


class Column(Generic[_Scalar]):
    """An array that grows at its end.

    Room is reserved ahead, and takes no memory until it is used.

    Parameters
    ----------
    dtype : dtype
    shape : tuple of int
        Of one row.
    """

    def __init__(self, dtype: type[_Scalar], shape: tuple[int, ...] = ()) -> None:
        self._array: NDArray[_Scalar] = np.zeros((0, *shape), dtype)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def values(self) -> NDArray[_Scalar]:
        """All rows: a view, which may be written."""
        return self._array[: self._count]

    def extend(self, rows: ArrayLike) -> None:
        """Append rows."""
        added = np.asarray(rows, self._array.dtype)
        end = self._count + len(added)
        if end > len(self._array):
            room = max(end, int(_GROWTH * self._count), _FEWEST)
            grown = np.zeros((room, *self._array.shape[1:]), self._array.dtype)
            grown[: self._count] = self.values
            self._array = grown
        self._array[self._count : end] = added
        self._count = end

    def keep(self, places: NDArray[np.int64]) -> None:
        """Keep these rows only, in this order."""
        self._array = self.values[places]
        self._count = len(places)


class Keys:
    """Keys of 8 bytes, each known by its place: most of them sorted, those of late not yet."""

    def __init__(self) -> None:
        self._keys = Column(np.uint64)
        self._order = np.zeros(0, np.int64)

    def extend(self, keys: ArrayLike) -> None:
        """Append keys."""
        self._keys.extend(keys)
        self._sort()

    def keep(self, places: NDArray[np.int64]) -> None:
        """Keep the keys of these places only, in this order."""
        self._keys.keep(places)
        self._order = self._order[:0]
        self._sort()

    def _sort(self) -> None:
        if len(self._keys) - len(self._order) > max(_UNSORTED, len(self._order) // 64):
            self._order = np.argsort(self._keys.values, kind="stable")

    def find(self, key: np.uint64) -> NDArray[np.int64]:
        """Give the places of a key."""
        keys, count = self._keys.values, len(self._order)
        first = np.searchsorted(keys[:count], key, "left", sorter=self._order)
        last = np.searchsorted(keys[:count], key, "right", sorter=self._order)
        late = np.flatnonzero(keys[count:] == key) + count
        return np.concatenate([self._order[first:last], late])
