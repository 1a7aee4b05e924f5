"""TIFF: Adobe's revision 6.0; and EXIF, which is a TIFF without a picture."""

import struct
from typing import Literal

from ..errors import BrokenImageError
from .header import Format, Header, Truncated

__all__ = ["FORMAT", "exif_orientation", "read", "recognises"]

FORMAT: Format = "tiff"

_BYTE_ORDERS: dict[bytes, Literal["<", ">"]] = {b"II*\0": "<", b"MM\0*": ">"}
_NUMBERS = {1: "B", 3: "H", 4: "I"}  # BYTE, SHORT, LONG
_TYPE_BYTES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8)
_MOST_PAGES = 10_000  # counted
_WIDTH, _HEIGHT, _ORIENTATION, _TILE_WIDTH, _TILE_HEIGHT = 256, 257, 274, 322, 323


def recognises(data: bytes) -> bool:
    """Tell whether the file begins as a TIFF does."""
    return data[:4] in _BYTE_ORDERS


def _directory(data: bytes, *, whole: bool = False) -> dict[int, int]:
    """Read the single numbers of the first page, by tag; if `whole`, all values must be there."""
    order = _BYTE_ORDERS[data[:4]]
    (at,) = struct.unpack_from(order + "I", data, 4)
    (entries,) = struct.unpack_from(order + "H", data, at)
    numbers = {}
    for entry in range(at + 2, at + 2 + 12 * entries, 12):
        tag, kind, count = struct.unpack_from(order + "HHI", data, entry)
        if kind in _NUMBERS and count == 1:
            (numbers[tag],) = struct.unpack_from(order + _NUMBERS[kind], data, entry + 8)
        elif whole and kind < len(_TYPE_BYTES) and (length := count * _TYPE_BYTES[kind]) > 4:
            (start,) = struct.unpack_from(order + "I", data, entry + 8)
            if start + length > len(data):
                raise Truncated
    return numbers


def _count_pages(data: bytes) -> int:
    order = _BYTE_ORDERS[data[:4]]
    (at,) = struct.unpack_from(order + "I", data, 4)
    pages: set[int] = set()
    while at and at not in pages and len(pages) < _MOST_PAGES:
        pages.add(at)
        (entries,) = struct.unpack_from(order + "H", data, at)
        (at,) = struct.unpack_from(order + "I", data, at + 2 + 12 * entries)
    return len(pages)


def exif_orientation(exif: bytes) -> int:
    """Read the orientation, 1..8, out of EXIF; 1 where it states none that makes sense."""
    exif = exif.removeprefix(b"Exif\0\0")
    if not recognises(exif):
        return 1
    try:
        orientation = _directory(exif).get(_ORIENTATION, 1)
    except struct.error:
        return 1
    return orientation if 1 <= orientation <= 8 else 1


def read(data: bytes) -> Header:
    """Read the first page; the decoder turns it upright by itself."""
    page = _directory(data, whole=True)
    if _WIDTH not in page or _HEIGHT not in page:
        raise Truncated
    width, height = page[_WIDTH], page[_HEIGHT]
    if page.get(_TILE_WIDTH, 0) * page.get(_TILE_HEIGHT, 0) > 2**20 + 4 * width * height:
        raise BrokenImageError("the tiff file's tiles are far larger than the picture")
    if 5 <= page.get(_ORIENTATION, 1) <= 8:
        width, height = height, width
    return Header(FORMAT, width, height, frames=_count_pages(data))
