"""What the fingerprint service says of an image (paper, Algorithm 1)."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from srpitp_contracts.model import (
    DescriptionBytes,
    Digest,
    FingerprintBytes,
    Model,
    SketchBytes,
)

Profile = Literal["paper", "robust"]


class Purpose(StrEnum):
    """What an image is fingerprinted for."""

    PROTECTED = "protected"
    """to be found: several views of it"""
    DETECTED = "detected"
    """to be looked for: mirrored too, and each photo of a collage"""


class TagScore(Model):
    """A tag and how sure its classifier is of it."""

    tag: str
    confidence: float = Field(ge=0, le=1)


class View(Model):
    """The fingerprint of one geometric variant of an image."""

    name: str = Field(examples=["whole"])
    fingerprint: FingerprintBytes
    sketch: SketchBytes = Field(description="a second, small fingerprint of other content")


class Panel(Model):
    """One photo of a collage, as if it were an image by itself."""

    digest: Digest = Field(description="of the whole image")
    width: int = Field(ge=1, description="of the whole image")
    height: int = Field(ge=1, description="of the whole image")
    quality: float = Field(ge=0, le=1)
    textureless: bool
    views: list[View] = Field(min_length=1)


class Extraction(Model):
    """Everything that is read from an image's bytes."""

    digest: Digest
    size_bytes: int = Field(ge=1)
    width: int = Field(ge=1, description="pixels, after the EXIF orientation was applied")
    height: int = Field(ge=1)
    format: str = Field(examples=["jpeg"])
    frames: int = Field(ge=1, description="of an animated image, the first is used")
    quality: float = Field(ge=0, le=1)
    textureless: bool = Field(description="too plain to be told apart; matched for exact only")
    notes: list[str] = Field(default=[], description="what the registrant should know")
    profile: Profile
    fp_version: int
    tags: list[TagScore] = Field(min_length=1, description="best first")
    views: list[View] = Field(min_length=1)
    panels: list[Panel] = Field(
        default=[], description="photos of a collage, of an image that is to be looked for"
    )
    description: DescriptionBytes | None = Field(
        default=None,
        description="all of this and the local features, packed by the fingerprint library; "
        "null in paper mode, which uses none",
    )
