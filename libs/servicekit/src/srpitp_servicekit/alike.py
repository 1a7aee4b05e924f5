"""Documents by the thousand as arrays: BSON in which only some values differ, read by numpy.

Documents of a collection mostly have the same fields in the same order. Those that are as long and
differ in nothing but the values that are asked for lie in an array, a row each, and their values
at the same places of each row. That takes a microsecond a document, and no object for any of them;
decoding takes ten times that and more.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import bson
import numpy as np
from bson.codec_options import CodecOptions
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

__all__ = ["Alike", "alike_in"]

Document = dict[str, Any]

_CODEC: CodecOptions[Document] = CodecOptions(tz_aware=True)
_LENGTH = 4
_STRING, _DOCUMENT, _ARRAY, _BINARY = 0x02, 0x03, 0x04, 0x05
_SIZES = {0x01: 8, 0x07: 12, 0x08: 1, 0x09: 8, 0x0A: 0, 0x10: 4, 0x11: 8, 0x12: 8, 0x13: 16}
"""Bytes of a value by its type: double, id, bool, date, null, int, timestamp, long, decimal."""


class _RareTypeError(Exception):
    """A value of a type that nothing is known of here."""


@dataclass(frozen=True, eq=False)
class Alike:
    """Documents that differ in some values only.

    Attributes
    ----------
    rows : uint8 ndarray, shape (documents, bytes)
        A document each, in BSON.
    places : mapping of str to sequence of slice
        Where in a row the values of a field lie.
    """

    rows: NDArray[np.uint8]
    places: Mapping[str, Sequence[slice]]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def first(self) -> Document:
        """The first document, which says what they all have in common."""
        return bson.decode(self.rows[0].tobytes(), _CODEC)

    def values(self, name: str, size: int) -> NDArray[np.uint8] | None:
        """Give the bytes of a field: text, or binary.

        Returns
        -------
        uint8 ndarray, shape (documents, values of each, size), or None
            None if they are of another size, or there are none.
        """
        places = self.places.get(name, ())
        if not places or any(place.stop - place.start != size for place in places):
            return None
        return np.stack([self.rows[:, place] for place in places], axis=1)

    def documents(self, which: NDArray[np.bool_] | slice = slice(None)) -> list[Document]:
        """Decode documents, of which each is an object then."""
        return bson.decode_all(self.rows[which].tobytes(), _CODEC)


def alike_in(raw: bytes, differing: Collection[str]) -> Iterator[Alike]:
    """Sort documents into those that are alike.

    Parameters
    ----------
    raw : bytes
        Documents in BSON, one after the other.
    differing : collection of str
        Names of fields that may differ; of those in lists too: ``"views.fingerprint"``.

    Yields
    ------
    Alike
        All documents come once. One with values of rare types has none that may differ.
    """
    octets = np.frombuffer(raw, np.uint8)
    starts = _starts(raw, octets)
    sizes = np.diff(starts, append=len(raw))
    for size in np.unique(sizes).tolist():
        rest = _rows(octets, starts[sizes == size], size)
        while len(rest):
            places = _places(rest[0].tobytes(), differing)
            same = _same(rest, _gaps(places, size))
            yield Alike(rest[same], places)
            rest = rest[~same]


def _starts(raw: bytes, octets: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Find where documents begin: each begins with its length."""
    size = int.from_bytes(raw[:_LENGTH], "little")
    if size and len(raw) % size == 0:
        lengths = octets.reshape(-1, size)[:, :_LENGTH]
        if (lengths == lengths[0]).all():  # as long as the first, all of them
            return np.arange(0, len(raw), size)
    return np.fromiter(_walked(raw), np.int64)


def _walked(raw: bytes) -> Iterator[int]:
    at = 0
    while at < len(raw):
        yield at
        at += int.from_bytes(raw[at : at + _LENGTH], "little")


def _rows(octets: NDArray[np.uint8], starts: NDArray[np.int64], size: int) -> NDArray[np.uint8]:
    if len(starts) * size == len(octets):
        return octets.reshape(-1, size)
    return sliding_window_view(octets, size)[starts]


def _gaps(places: Mapping[str, Sequence[slice]], size: int) -> list[slice]:
    """List what lies between the values that may differ."""
    gaps, at = [], 0
    for place in sorted((one for of in places.values() for one in of), key=lambda of: of.start):
        gaps.append(slice(at, place.start))
        at = place.stop
    return [*gaps, slice(at, size)]


def _same(rows: NDArray[np.uint8], parts: Sequence[slice]) -> NDArray[np.bool_]:
    """Tell which rows are the same as the first one in some parts."""
    same = np.ones(len(rows), np.bool_)
    for part in parts:
        alike = rows[:, part] == rows[0, part]
        if not alike.all():  # which is known sooner than of which rows
            same &= alike.all(axis=1)
    return same


def _places(document: bytes, differing: Collection[str]) -> dict[str, list[slice]]:
    """Find where the values of fields lie in a document; those of lists are in order."""
    found: dict[str, list[slice]] = {}
    try:
        for name, place in _fields(document, _LENGTH):
            if name in differing:
                found.setdefault(name, []).append(place)
    except _RareTypeError:
        return {}
    return found


def _fields(
    document: bytes, at: int, outer: str = "", *, in_list: bool = False
) -> Iterator[tuple[str, slice]]:
    """Yield the fields of a document and of those in it: the name, and where the value lies."""
    while kind := document[at]:
        end = document.index(0, at)
        name = outer if in_list else f"{outer}.{document[at + 1 : end].decode()}".lstrip(".")
        place = _value(document, kind, end + 1)
        if kind in (_DOCUMENT, _ARRAY):
            yield from _fields(document, place.start, name, in_list=kind == _ARRAY)
        else:
            yield name, place
        at = place.stop + (kind == _STRING)


def _value(document: bytes, kind: int, at: int) -> slice:
    """Find where a value of a type lies that begins at a place."""
    if kind in _SIZES:
        return slice(at, at + _SIZES[kind])
    length = int.from_bytes(document[at : at + _LENGTH], "little")
    at += _LENGTH
    if kind == _STRING:
        return slice(at, at + length - 1)
    if kind == _BINARY:
        return slice(at + 1, at + 1 + length)
    if kind in (_DOCUMENT, _ARRAY):
        return slice(at, at - _LENGTH + length)
    raise _RareTypeError
