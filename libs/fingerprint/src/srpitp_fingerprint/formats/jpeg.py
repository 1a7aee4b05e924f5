"""JPEG: ITU-T T.81, annex B; EXIF in APP1."""

from struct import unpack_from

from ..errors import BrokenImageError, UnsupportedImageError
from .header import Format, Header, Truncated
from .tiff import exif_orientation

__all__ = ["FORMAT", "read", "recognises"]

FORMAT: Format = "jpeg"

_END, _SCAN, _APP1 = 0xD9, 0xDA, 0xE1
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0..15 without DHT, JPG, DAC
_SEQUENTIAL = (0xC0, 0xC1)
_ALONE = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})  # markers without a segment
_MOST_SCANS = 100  # each costs a pass over the picture; encoders make about ten


def recognises(data: bytes) -> bool:
    """Tell whether the file begins as a JPEG does."""
    return data.startswith(b"\xff\xd8\xff")


def read(data: bytes) -> Header:
    """Read segments up to the first scan, then look for the end."""
    size: tuple[int, int] | None = None
    orientation = 1
    whole = 0  # components of a scan that is the only one
    at = 2
    while True:
        at = data.find(b"\xff", at)
        if at < 0:
            raise Truncated
        while data[at] == 0xFF:  # any number may fill the space before a marker
            at += 1
        marker = data[at]
        if marker in _ALONE:
            continue
        if marker in (_SCAN, _END):
            break
        (length,) = unpack_from(">H", data, at + 1)
        if marker in _FRAMES:
            bits, height, width, components = unpack_from(">BHHB", data, at + 3)
            if bits != 8:
                raise UnsupportedImageError(f"a JPEG of {bits} bits; save it with 8 bits")
            size = width, height
            whole = components if marker in _SEQUENTIAL else 0
        elif marker == _APP1 and data.startswith(b"Exif\0\0", at + 3) and orientation == 1:
            orientation = exif_orientation(data[at + 9 : at + 1 + length])
        at += 1 + length
    if size is None:
        raise BrokenImageError("the jpeg file holds no picture; save it anew")
    # The decoder would fill what is missing with grey. Bytes may follow the end: cameras and
    # telephones put previews and films there.
    if data.rfind(b"\xff\xd9", at) < 0:
        raise Truncated
    if data[at + 3] != whole and data.count(b"\xff\xda", at - 1) > _MOST_SCANS:
        raise BrokenImageError(f"the jpeg file has more than {_MOST_SCANS} scans; save it anew")
    return Header(FORMAT, *size, exif_orientation=orientation)
