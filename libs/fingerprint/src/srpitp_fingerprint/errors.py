"""What can be wrong with an image: one error a cause, each with a code that stays the same."""

from typing import ClassVar

__all__ = [
    "BrokenImageError",
    "EmptyImageError",
    "ImageError",
    "ImageTooLargeError",
    "TooManyPixelsError",
    "UnsupportedImageError",
]


class ImageError(ValueError):
    """An image that cannot be fingerprinted; the message says why and what to do.

    Attributes
    ----------
    code : str
        Names the cause for programs; it never changes, where the message may.
    """

    code: ClassVar[str] = "image_error"


class EmptyImageError(ImageError):
    """There are no bytes, or no pixels."""

    code = "image_empty"


class UnsupportedImageError(ImageError):
    """The bytes are no image, or of a kind that is not read here."""

    code = "image_unsupported"


class BrokenImageError(ImageError):
    """The image is of a kind that is read here, but truncated or corrupt."""

    code = "image_broken"


class ImageTooLargeError(ImageError):
    """The file has more bytes than the limit."""

    code = "image_too_large"


class TooManyPixelsError(ImageError):
    """The image has more pixels than the limit."""

    code = "image_too_many_pixels"
