"""From the bytes of an image to its luma: the only module that decodes.

OpenCV decodes, and is left nothing to decide: orientation, transparency and depth are settled
here, the same for every format. Importing this module silences OpenCV's messages in the process;
what they say of a hostile file is raised as an `ImageError` instead.
"""

import cv2
import numpy as np
from cv2.utils import logging as cv2_logging
from numpy.typing import NDArray

from .elements import COLUMNS, ROWS
from .errors import BrokenImageError
from .formats import Header, read_header
from .limits import Limits
from .luma import luma_of

__all__ = ["decode"]

cv2_logging.setLogLevel(cv2_logging.LOG_LEVEL_SILENT)

# A JPEG is decoded to its own luma, and at a fraction of its size at little cost.
_JPEG_FLAGS = {
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    1: cv2.IMREAD_GRAYSCALE,
}


def _reduction(header: Header) -> int:
    """Find the largest reduction that leaves twice the rows and columns of the definition."""
    if header.format != "jpeg":
        return 1
    fits = (
        by
        for by in (8, 4, 2)
        if header.height >= 2 * ROWS * by and header.width >= 2 * COLUMNS * by
    )
    return next(fits, 1)


def _corrupt(header: Header) -> BrokenImageError:
    return BrokenImageError(
        f"the {header.format} file is corrupt, or of a kind that is not read here; save it anew"
    )


def decode(data: bytes, limits: Limits) -> tuple[Header, NDArray[np.uint8]]:
    """Decode the first frame of an image file.

    Parameters
    ----------
    data : bytes
    limits : Limits

    Returns
    -------
    header : Header
    luma : uint8 ndarray, shape (height, width)
        Upright. Of a large JPEG, reduced by 2, 4 or 8.

    Raises
    ------
    ImageError
        For whatever is wrong with the bytes; never anything else.
    """
    limits.check_bytes(len(data))
    header = read_header(data)
    limits.check_pixels(header.width, header.height)
    by = _reduction(header)
    flags = _JPEG_FLAGS[by] if header.format == "jpeg" else cv2.IMREAD_UNCHANGED
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise _corrupt(header) from error
    if pixels is None:
        raise _corrupt(header)
    # libtiff multiplies colours by alpha where it makes RGBA of 8 bits.
    premultiplied = header.format == "tiff" and pixels.dtype == np.uint8
    luma = header.upright(luma_of(pixels, "bgr", premultiplied=premultiplied))
    if luma.shape != (-(-header.height // by), -(-header.width // by)):
        raise _corrupt(header)
    return header, luma
