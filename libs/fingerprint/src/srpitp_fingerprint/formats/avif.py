"""AVIF, animated too: ISO/IEC 14496-12 (boxes) and 23008-12 (image items)."""

from collections.abc import Iterable, Iterator
from struct import unpack_from
from typing import TypeVar

from ..errors import BrokenImageError
from .av1 import stream_size
from .header import Format, Header, Truncated

__all__ = ["FORMAT", "read", "recognises"]

FORMAT: Format = "avif"

# Boxes that hold boxes, and how many bytes come before these.
_CONTAINERS = {b"meta": 4, b"iinf": 6} | dict.fromkeys(
    (b"iprp", b"ipco", b"moov", b"trak", b"mdia", b"minf", b"stbl"), 0
)

_CHUNK_OFFSETS = {b"stco": ">I", b"co64": ">Q"}

# EXIF's orientation for quarter turns (irot, anticlockwise) alone, then a mirror (imir).
_TURNED = (1, 8, 3, 6)
_MIRRORED = {0: (4, 5, 2, 7), 1: (2, 7, 4, 5)}

_DEEPEST = 8  # moov/trak/mdia/minf/stbl are five
_MOST = 50_000  # boxes, items, extents: a hostile file can hold millions, or extents of no bytes
_MOST_PICTURES = 4096

_Box = tuple[int, int]
"""Where the contents of a box start and end."""
_Thing = TypeVar("_Thing")


def _bounded(things: Iterable[_Thing], most: int = _MOST) -> Iterator[_Thing]:
    for count, thing in enumerate(things):
        if count == most:
            raise BrokenImageError(f"the avif file has more than {most:,} parts; save it anew")
        yield thing


def recognises(data: bytes) -> bool:
    """Tell whether the file begins as an AVIF does."""
    if data[4:8] != b"ftyp":
        return False
    brands = data[8 : int.from_bytes(data[:4], "big")]
    return any(brands[at : at + 4] in (b"avif", b"avis") for at in range(0, len(brands), 4))


def _boxes(data: bytes, at: int, end: int, depth: int = _DEEPEST) -> Iterator[tuple[bytes, _Box]]:
    """Give kind and place of each box, at any depth."""
    while at + 8 <= end:
        length, kind = unpack_from(">I4s", data, at)
        start = at + 8
        if length == 1:  # a length of 64 bits follows
            (length,) = unpack_from(">Q", data, start)
            start += 8
        after = at + length if length else end
        if after < start or after > end:
            raise Truncated
        yield kind, (start, after)
        if kind in _CONTAINERS and depth:
            before = _CONTAINERS[kind]
            if kind == b"iinf" and data[start]:  # a later version counts with 32 bits
                before += 2
            yield from _boxes(data, start + before, after, depth - 1)
        at = after


def _items(data: bytes, start: int, item_data: int) -> Iterator[tuple[int, int, int]]:
    """Read an iloc box: item, offset and length of every extent."""
    at = start + 6

    def number(size: int) -> int:
        nonlocal at
        at += size
        if at > len(data):
            raise Truncated
        return int.from_bytes(data[at - size : at], "big")

    version, sizes, more_sizes = data[start], data[start + 4], data[start + 5]
    wide = 4 if version == 2 else 2
    for _ in _bounded(range(number(wide))):
        item = number(wide)
        method = number(2) & 15 if version else 0
        number(2)
        base = number(more_sizes >> 4) + (item_data if method == 1 else 0)
        for _ in range(number(2)):
            if version:
                number(more_sizes & 15)
            offset = base + number(sizes >> 4)
            yield item, offset, number(sizes & 15) or len(data)


def _streams(data: bytes, boxes: list[tuple[bytes, _Box]]) -> Iterator[bytes]:
    """Give the AV1 stream of every picture, and of the first sample of every track."""
    streams: dict[int, bytes] = {}
    for start in _bounded(_starts(boxes, b"infe"), _MOST_PICTURES):
        late = data[start] > 2  # a later version numbers with 32 bits
        item, _, kind = unpack_from(">IH4s" if late else ">HH4s", data, start + 4)
        if kind == b"av01":
            streams[item] = b""
    item_data = next(iter(_starts(boxes, b"idat")), 0)
    room = 2 * len(data)
    for start in _starts(boxes, b"iloc"):
        for item, offset, length in _bounded(_items(data, start, item_data)):
            if item in streams:
                streams[item] += data[offset : offset + length]
                room -= len(streams[item])
                if room < 0:
                    raise BrokenImageError("the avif file's items overlap; save it anew")
    yield from streams.values()
    chunks = [(_CHUNK_OFFSETS[kind], box[0]) for kind, box in boxes if kind in _CHUNK_OFFSETS]
    for (form, start), sizes in zip(chunks, _starts(boxes, b"stsz"), strict=False):
        (offset,) = unpack_from(form, data, start + 8)
        (length,) = unpack_from(">I", data, sizes + 4)
        if not length:  # samples differ
            (length,) = unpack_from(">I", data, sizes + 12)
        yield data[offset : offset + length]


def _starts(boxes: list[tuple[bytes, _Box]], wanted: bytes) -> list[int]:
    return [start for kind, (start, _) in boxes if kind == wanted]


def _stated_sizes(data: bytes, boxes: list[tuple[bytes, _Box]]) -> Iterator[tuple[int, int]]:
    for kind, (start, end) in boxes:
        if kind == b"ispe":
            yield unpack_from(">II", data, start + 4)
        elif kind == b"tkhd":  # of a track: 16.16 bits
            width, height = unpack_from(">II", data, end - 8)
            yield width >> 16, height >> 16


def _area(size: tuple[int, int]) -> int:
    return size[0] * size[1]


def read(data: bytes) -> Header:
    """Read all boxes; the largest picture is the one shown, others are thumbnails or tiles."""
    boxes = list(_bounded(_boxes(data, 0, len(data))))
    size = max(_stated_sizes(data, boxes), key=_area, default=(0, 0))
    if not _area(size):
        raise Truncated
    if any(_area(stream_size(one)) > 2**20 + 4 * _area(size) for one in _streams(data, boxes)):
        raise BrokenImageError("the avif file's stream is far larger than the picture")
    frames = [unpack_from(">I", data, start + 8)[0] for start in _starts(boxes, b"stsz")]
    turns = [data[start] & 3 for start in _starts(boxes, b"irot")]
    mirrors = [data[start] & 1 for start in _starts(boxes, b"imir")]
    orientations = _MIRRORED[mirrors[0]] if mirrors else _TURNED
    return Header(FORMAT, *size, max([1, *frames]), orientations[turns[0] if turns else 0])
