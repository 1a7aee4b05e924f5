"""GIF, animated too: CompuServe's Graphics Interchange Format, version 89a."""

from struct import unpack_from

from .header import Format, Header, Truncated

__all__ = ["FORMAT", "read", "recognises"]

FORMAT: Format = "gif"

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B


def recognises(data: bytes) -> bool:
    """Tell whether the file begins as a GIF does."""
    return data.startswith((b"GIF87a", b"GIF89a"))


def _colours(flags: int) -> int:
    """Count the bytes of the colour table that the flags announce."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _skip_sub_blocks(data: bytes, at: int) -> int:
    while length := data[at]:
        at += 1 + length
    return at + 1


def read(data: bytes) -> Header:
    """Walk the blocks to the trailer."""
    width, height, flags = unpack_from("<HHB", data, 6)
    at = 13 + _colours(flags)
    frames = 0
    while (kind := data[at]) != _TRAILER:
        if kind == _IMAGE:
            frames += 1
            at = _skip_sub_blocks(data, at + 11 + _colours(data[at + 9]))
        elif kind == _EXTENSION:
            at = _skip_sub_blocks(data, at + 2)
        else:
            raise Truncated
    return Header(FORMAT, width, height, max(frames, 1))
