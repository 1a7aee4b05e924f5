"""From pixels of any kind to 8-bit luma, or to colour."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import UnsupportedImageError

__all__ = ["bgr_of", "luma_of"]

_WHITE = 255
_TO_GREY = {
    (3, "rgb"): cv2.COLOR_RGB2GRAY,
    (3, "bgr"): cv2.COLOR_BGR2GRAY,
    (4, "rgb"): cv2.COLOR_RGBA2GRAY,
    (4, "bgr"): cv2.COLOR_BGRA2GRAY,
}


def luma_of(
    pixels: NDArray[Any], order: str = "rgb", *, premultiplied: bool = False
) -> NDArray[np.uint8]:
    """Reduce pixels to 8-bit luma (ITU-R BT.601), over white where they are transparent.

    Parameters
    ----------
    pixels : uint8 or uint16 ndarray, shape (height, width) or (height, width, 1, 3 or 4)
        Grey, colour, or colour and alpha.
    order : {"rgb", "bgr"}
        Which colour comes first.
    premultiplied : bool
        Whether the colours are multiplied by alpha already.

    Returns
    -------
    uint8 ndarray, shape (height, width)

    Raises
    ------
    UnsupportedImageError
        Pixels of another type or shape.
    """
    pixels = _eight_bits(pixels)
    channels = pixels.shape[2]
    if channels == 1:
        return pixels[..., 0]
    luma = np.asarray(cv2.cvtColor(pixels, _TO_GREY[channels, order]), np.uint8)
    return luma if channels == 3 else _over_white(luma, pixels[..., 3], premultiplied)


def bgr_of(pixels: NDArray[Any], *, premultiplied: bool = False) -> NDArray[np.uint8]:
    """Reduce pixels to 8-bit blue, green, red, over white where they are transparent.

    Parameters
    ----------
    pixels : uint8 or uint16 ndarray, shape (height, width) or (height, width, 1, 3 or 4)
        Grey, or blue, green, red, and alpha.
    premultiplied : bool
        As of `luma_of`.

    Returns
    -------
    uint8 ndarray, shape (height, width, 3)

    Raises
    ------
    UnsupportedImageError
        Pixels of another type or shape.
    """
    pixels = _eight_bits(pixels)
    if pixels.shape[2] == 1:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR), np.uint8)
    if pixels.shape[2] == 3:
        return pixels
    alpha = np.repeat(pixels[..., 3:], 3, axis=2)
    return _over_white(np.ascontiguousarray(pixels[..., :3]), alpha, premultiplied)


def _eight_bits(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return pixels as (height, width, 1, 3 or 4)."""
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if (
        pixels.dtype not in (np.uint8, np.uint16)
        or pixels.ndim not in (2, 3)
        or channels not in (1, 3, 4)
    ):
        raise UnsupportedImageError(
            f"pixels of {pixels.dtype} and shape {pixels.shape}; "
            "send 8 or 16 bits (uint8, uint16) in grey, RGB or RGBA"
        )
    pixels = np.ascontiguousarray(pixels)
    if pixels.dtype == np.uint16:
        pixels = np.asarray(cv2.convertScaleAbs(pixels, alpha=1 / 257), np.uint8)
    return pixels.reshape(*pixels.shape[:2], channels)


def _over_white(
    values: NDArray[np.uint8], alpha: NDArray[np.uint8], premultiplied: bool
) -> NDArray[np.uint8]:
    if premultiplied:
        return np.asarray(cv2.add(values, _WHITE - alpha), np.uint8)
    shade = cv2.multiply(_WHITE - values, np.ascontiguousarray(alpha), scale=1 / _WHITE)
    return np.asarray(_WHITE - shade, np.uint8)
