"""PNG, animated too: W3C Portable Network Graphics (Third Edition), sections 5 and 11."""

from struct import unpack_from

from .header import Format, Header, Truncated
from .tiff import exif_orientation

__all__ = ["FORMAT", "read", "recognises"]

FORMAT: Format = "png"

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def recognises(data: bytes) -> bool:
    """Tell whether the file begins as a PNG does."""
    return data.startswith(_SIGNATURE)


def read(data: bytes) -> Header:
    """Walk the chunks to the last, IEND."""
    width, height = unpack_from(">II", data, 16)
    frames, orientation = 1, 1
    at = len(_SIGNATURE)
    kind = b""
    while kind != b"IEND":
        length, kind = unpack_from(">I4s", data, at)
        if kind == b"acTL":
            (frames,) = unpack_from(">I", data, at + 8)
        elif kind == b"eXIf":
            orientation = exif_orientation(data[at + 8 : at + 8 + length])
        at += 12 + length
    if at > len(data):
        raise Truncated
    return Header(FORMAT, width, height, max(frames, 1), orientation)
