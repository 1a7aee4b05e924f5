"""What an image file says of itself, read without decoding it: one module a format.

Bytes from the network are hostile. These readers look at headers only, so that a bomb of 30,000 x
30,000 pixels in 100 kilobytes is known for what it is before it costs anything, and they follow
the file to its end, so that a truncated one is told from a whole one.
"""

import struct

from ..errors import BrokenImageError, UnsupportedImageError
from . import avif, bmp, gif, jpeg, png, tiff, webp
from .header import Format, Header, Truncated

__all__ = ["Format", "Header", "read_header"]

_READERS = (jpeg, png, webp, gif, bmp, tiff, avif)


def read_header(data: bytes) -> Header:
    """Read the header of an image file of any supported format.

    Raises
    ------
    UnsupportedImageError, BrokenImageError
    """
    reader = next((reader for reader in _READERS if reader.recognises(data)), None)
    if reader is None:
        raise UnsupportedImageError(
            f"not a JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF file (it begins with {data[:8]!r}); "
            "send one of these"
        )
    try:
        header: Header = reader.read(data)
    except (Truncated, struct.error, IndexError) as error:
        raise BrokenImageError(
            f"the {reader.FORMAT} file is truncated; fetch it again, whole"
        ) from error
    return header
