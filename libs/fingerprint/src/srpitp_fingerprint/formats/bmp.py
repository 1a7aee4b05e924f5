"""BMP: Microsoft's device-independent bitmap, with its first (OS/2) and later headers."""

from struct import unpack_from

from .header import Format, Header

__all__ = ["FORMAT", "read", "recognises"]

FORMAT: Format = "bmp"


def recognises(data: bytes) -> bool:
    """Tell whether the file begins as a BMP does."""
    return data.startswith(b"BM")


def read(data: bytes) -> Header:
    """Read the size; a negative height says that rows run from the top."""
    (header_bytes,) = unpack_from("<I", data, 14)
    width, height = unpack_from("<HH" if header_bytes == 12 else "<ii", data, 18)
    return Header(FORMAT, width, abs(height))
