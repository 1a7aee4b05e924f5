"""What every reader of a format gives."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..orientation import ORIENTATIONS, orient

__all__ = ["Format", "Header", "Truncated"]

Format = Literal["jpeg", "png", "webp", "gif", "bmp", "tiff", "avif"]


class Truncated(Exception):  # noqa: N818 - caught at once, where it gets its message
    """The file ends before it should, or points beyond its end."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself.

    Attributes
    ----------
    format : Format
    stored_width, stored_height : int
        Pixels, as the decoder gives them.
    frames : int
        More than 1 if animated (of TIFF: pages).
    exif_orientation : int
        What remains to be done to the decoded pixels: EXIF's value, 1..8.
    """

    format: Format
    stored_width: int
    stored_height: int
    frames: int = 1
    exif_orientation: int = 1

    @property
    def width(self) -> int:
        """Pixels across, upright."""
        return self.stored_height if self.exif_orientation >= 5 else self.stored_width

    @property
    def height(self) -> int:
        """Pixels down, upright."""
        return self.stored_width if self.exif_orientation >= 5 else self.stored_height

    def upright(self, luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn decoded pixels upright."""
        if self.exif_orientation == 1:
            return luma
        return np.ascontiguousarray(orient(luma, ORIENTATIONS[self.exif_orientation - 1]))
