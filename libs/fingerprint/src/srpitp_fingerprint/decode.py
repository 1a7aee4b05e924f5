"""From the bytes of an image to its luma, or its colours: the only module that decodes.

OpenCV decodes, and is left nothing to decide: orientation, transparency and depth are settled
here, the same for every format. Importing this module silences OpenCV's messages in the process;
what they say of a hostile file is raised as an `ImageError` instead.
"""

from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from cv2.utils import logging as cv2_logging
from numpy.typing import NDArray

from .elements import COLUMNS, LEAST_SIZE, ROWS, Halved, halved
from .errors import BrokenImageError
from .formats import Header, read_header
from .limits import Limits
from .luma import bgr_of, luma_of

__all__ = ["DETAILED", "Decoded", "decode", "decode_colour", "halvings_of"]

cv2_logging.setLogLevel(cv2_logging.LOG_LEVEL_SILENT)

DETAILED: Final = (2 * ROWS, 2 * COLUMNS)
"""Rows and columns that are left for local features and whatever else looks closely."""

_DEFAULT_LIMITS = Limits()

# A JPEG is decoded to its own luma, and at a fraction of its size at little cost: by halvings.
_JPEG_LUMA = (
    cv2.IMREAD_GRAYSCALE,
    cv2.IMREAD_REDUCED_GRAYSCALE_2,
    cv2.IMREAD_REDUCED_GRAYSCALE_4,
    cv2.IMREAD_REDUCED_GRAYSCALE_8,
)
_JPEG_COLOUR = (
    cv2.IMREAD_COLOR,
    cv2.IMREAD_REDUCED_COLOR_2,
    cv2.IMREAD_REDUCED_COLOR_4,
    cv2.IMREAD_REDUCED_COLOR_8,
)


class Decoded(NamedTuple):
    """The first frame of an image file.

    Attributes
    ----------
    header : Header
    luma : uint8 ndarray, shape (height, width)
        Upright. Of a large JPEG, reduced.
    halvings : int
        By 2, 4 or 8: how often it was halved.
    """

    header: Header
    luma: NDArray[np.uint8]
    halvings: int

    def halved(self) -> Halved:
        """Halve it further, for its fingerprint."""
        return halved(self.luma, (self.header.height, self.header.width), self.halvings)


def halvings_of(header: Header, least: tuple[int, int] = LEAST_SIZE) -> int:
    """Tell how often the decoder halves an image, so that so many rows and columns are left."""
    if header.format != "jpeg":
        return 0
    most = min(header.height // least[0], header.width // least[1])
    halvings = min(max(most, 1).bit_length(), len(_JPEG_LUMA)) - 1
    # What is left over lies at the end, for a fingerprint; turning the picture would move it.
    while header.exif_orientation > 1 and (header.height | header.width) % (1 << halvings):
        halvings -= 1
    return halvings


def _checked_header(data: bytes, limits: Limits) -> Header:
    limits.check_bytes(len(data))
    header = read_header(data)
    limits.check_pixels(header.width, header.height)
    return header


def _pixels(data: bytes, header: Header, jpeg_flags: int) -> NDArray[Any]:
    """Decode the first frame as it is stored, of a JPEG as the flags say."""
    flags = jpeg_flags if header.format == "jpeg" else cv2.IMREAD_UNCHANGED
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise _corrupt(header) from error
    if pixels is None:
        raise _corrupt(header)
    return pixels


def _corrupt(header: Header) -> BrokenImageError:
    return BrokenImageError(
        f"the {header.format} file is corrupt, or of a kind that is not read here; save it anew"
    )


def _is_premultiplied(header: Header, pixels: NDArray[Any]) -> bool:
    # libtiff multiplies colours by alpha where it makes RGBA of 8 bits.
    return header.format == "tiff" and pixels.dtype == np.uint8


def decode(data: bytes, limits: Limits, least: tuple[int, int] = LEAST_SIZE) -> Decoded:
    """Decode the first frame of an image file.

    Parameters
    ----------
    data : bytes
    limits : Limits
    least : tuple of int
        Rows and columns that are left at least of a large JPEG, if it has so many.

    Returns
    -------
    Decoded

    Raises
    ------
    ImageError
        For whatever is wrong with the bytes; never anything else.
    """
    header = _checked_header(data, limits)
    halvings = halvings_of(header, least)
    pixels = _pixels(data, header, _JPEG_LUMA[halvings])
    if header.format != "jpeg":
        pixels = luma_of(pixels, "bgr", premultiplied=_is_premultiplied(header, pixels))
    luma = header.upright(pixels)
    if luma.shape != (-(-header.height >> halvings), -(-header.width >> halvings)):
        raise _corrupt(header)
    return Decoded(header, luma, halvings)


def decode_colour(
    data: bytes, *, side: int = 224, limits: Limits = _DEFAULT_LIMITS
) -> NDArray[np.uint8]:
    """Decode the first frame of an image file in colour, as small as a classifier wants it.

    Parameters
    ----------
    data : bytes
    side : int
        Rows and columns that are left at least of a large picture, which is reduced by a whole
        number. Its shape is kept.
    limits : Limits
        Checked before anything is decoded.

    Returns
    -------
    uint8 ndarray, shape (height, width, 3)
        Blue, green, red; upright, over white where it is transparent.

    Raises
    ------
    ImageError
        As `extract`.
    """
    header = _checked_header(data, limits)
    pixels = _pixels(data, header, _JPEG_COLOUR[halvings_of(header, (side, side))])
    height, width = pixels.shape[:2]
    by = min(height, width) // side
    if by > 1:  # before anything is made of the pixels: there may be a hundred million
        pixels = cv2.resize(pixels, (width // by, height // by), interpolation=cv2.INTER_AREA)
    return header.upright(bgr_of(pixels, premultiplied=_is_premultiplied(header, pixels)))
