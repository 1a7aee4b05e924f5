"""Two pictures drawn so that a person can compare them: a part of the fingerprint service."""

import math
from enum import StrEnum
from typing import Literal

from pydantic import Field, field_validator

from srpitp_contracts.matching import Row
from srpitp_contracts.model import Model

Orientation = Literal[
    "identity", "hflip", "rot180", "vflip", "transpose", "rot90cw", "antitranspose", "rot90ccw"
]


class PictureKind(StrEnum):
    """How two pictures are shown; the protected one is on the left, or below."""

    WHOLE = "whole"
    """both as they are, the common part outlined"""
    SIDE_BY_SIDE = "side_by_side"
    """the common part of both, aligned"""
    OVERLAY = "overlay"
    """the detected picture over the protected one, half seen through"""
    DIFFERENCE = "difference"
    """how much they differ where both show something: the lighter, the more"""


class ComparisonRequest(Model):
    """How a detected picture lies in a protected one, and what is to be drawn of it."""

    kind: PictureKind = PictureKind.SIDE_BY_SIDE
    orientation: Orientation = Field(
        default="identity", description="what is done to the detected picture first"
    )
    transform: tuple[Row, Row] = Field(
        default=((1, 0, 0), (0, 1, 0)),
        description="from places in it then to places in the protected picture, in fractions of "
        "their widths and heights",
    )
    negative: bool = Field(default=False, description="whether it is a photographic negative")

    @field_validator("transform")
    @classmethod
    def _is_finite(cls, transform: tuple[Row, Row]) -> tuple[Row, Row]:
        if not all(math.isfinite(value) for row in transform for value in row):
            raise ValueError("must be finite")
        return transform
