"""What is refused before it is decoded."""

from dataclasses import dataclass

from .errors import EmptyImageError, ImageTooLargeError, TooManyPixelsError

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What is refused before it is decoded.

    Attributes
    ----------
    max_bytes : int
        Size of the file.
    max_pixels : int
        Width times height.
    """

    max_bytes: int = 50 * 2**20
    max_pixels: int = 100_000_000

    def check_bytes(self, count: int) -> None:
        """Raise an `ImageError` if there are no bytes, or too many."""
        if count < 1:
            raise EmptyImageError("the image is empty (0 bytes); send the bytes of an image file")
        if count > self.max_bytes:
            raise ImageTooLargeError(
                f"the image has more than {self.max_bytes:,} bytes; send a smaller file"
            )

    def check_pixels(self, width: int, height: int) -> None:
        """Raise an `ImageError` if there are no pixels, or too many."""
        if width < 1 or height < 1:
            raise EmptyImageError(
                f"the image has {width} x {height} pixels; send one that has at least 1 x 1"
            )
        if width * height > self.max_pixels:
            raise TooManyPixelsError(
                f"the image has {width:,} x {height:,} pixels, more than {self.max_pixels:,}; "
                "send it scaled down"
            )
