"""AVIF, animated too: ISO/IEC 14496-12 (boxes) and 23008-12 (image items)."""

from collections.abc import Iterator
from struct import unpack_from

from .header import Format, Header, Truncated

__all__ = ["FORMAT", "read", "recognises"]

FORMAT: Format = "avif"

# Boxes that hold boxes, and how many bytes come before these.
_CONTAINERS = {b"meta": 4} | dict.fromkeys(
    (b"iprp", b"ipco", b"moov", b"trak", b"mdia", b"minf", b"stbl"), 0
)

# EXIF's orientation for quarter turns (irot, anticlockwise) alone, then a mirror (imir).
_TURNED = (1, 8, 3, 6)
_MIRRORED = {0: (4, 5, 2, 7), 1: (2, 7, 4, 5)}


def recognises(data: bytes) -> bool:
    """Tell whether the file begins as an AVIF does."""
    if data[4:8] != b"ftyp":
        return False
    brands = data[8 : int.from_bytes(data[:4], "big")]
    return any(brands[at : at + 4] in (b"avif", b"avis") for at in range(0, len(brands), 4))


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Give the kind, start and end of the contents of each box, at any depth."""
    while at + 8 <= end:
        length, kind = unpack_from(">I4s", data, at)
        start = at + 8
        if length == 1:  # a length of 64 bits follows
            (length,) = unpack_from(">Q", data, start)
            start += 8
        after = at + length if length else end
        if after < start or after > end:
            raise Truncated
        yield kind, start, after
        if kind in _CONTAINERS:
            yield from _boxes(data, start + _CONTAINERS[kind], after)
        at = after


def read(data: bytes) -> Header:
    """Read all boxes; the largest picture is the one shown, others are thumbnails or tiles."""
    width = height = 0
    frames, turns, mirror = 1, 0, None
    for kind, start, end in _boxes(data, 0, len(data)):
        if kind == b"ispe":
            size = unpack_from(">II", data, start + 4)
        elif kind == b"tkhd":  # of a sequence: 16.16 bits
            size = tuple(number >> 16 for number in unpack_from(">II", data, end - 8))
        else:
            size = (0, 0)
        if size[0] * size[1] > width * height:
            width, height = size
        if kind == b"stsz":
            frames = max(frames, *unpack_from(">I", data, start + 8))
        elif kind == b"irot":
            turns = data[start] & 3
        elif kind == b"imir":
            mirror = data[start] & 1
    if not width * height:
        raise Truncated
    orientation = _TURNED[turns] if mirror is None else _MIRRORED[mirror][turns]
    return Header(FORMAT, width, height, frames, orientation)
