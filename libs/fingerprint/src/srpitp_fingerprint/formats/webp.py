"""WebP, animated too: RFC 9649."""

from struct import unpack_from

from .header import Format, Header, Truncated
from .tiff import exif_orientation

__all__ = ["FORMAT", "read", "recognises"]

FORMAT: Format = "webp"


def recognises(data: bytes) -> bool:
    """Tell whether the file begins as a WebP does."""
    return data.startswith(b"RIFF") and data[8:12] == b"WEBP"


def _size(kind: bytes, data: bytes, at: int) -> tuple[int, int] | None:
    if kind == b"VP8X":  # two numbers of 24 bits, less one
        first, second, third = unpack_from("<HHH", data, at + 4)
        return 1 + (first | (second & 0xFF) << 16), 1 + (second >> 8 | third << 8)
    if kind == b"VP8L":  # two numbers of 14 bits, less one
        (bits,) = unpack_from("<I", data, at + 1)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = unpack_from("<HH", data, at + 6)
        return width & 0x3FFF, height & 0x3FFF
    return None


def read(data: bytes) -> Header:
    """Walk the chunks to the end that the file states."""
    (length,) = unpack_from("<I", data, 4)
    end = 8 + length
    if end > len(data):
        raise Truncated
    size: tuple[int, int] | None = None
    frames, orientation = 0, 1
    at = 12
    while at + 8 <= end:
        kind, length = unpack_from("<4sI", data, at)
        size = size or _size(kind, data, at + 8)
        if kind == b"ANMF":
            frames += 1
        elif kind == b"EXIF":
            orientation = exif_orientation(data[at + 8 : at + 8 + length])
        at += 8 + length + length % 2
    if size is None:
        raise Truncated
    return Header(FORMAT, *size, max(frames, 1), orientation)
