"""What the fingerprint service says of an image (paper, Algorithm 1)."""

from typing import Literal

from pydantic import Field

from srpitp_contracts.model import Digest, FingerprintBytes, Model

Profile = Literal["paper", "robust"]


class TagScore(Model):
    """A tag and how sure its classifier is of it."""

    tag: str
    confidence: float = Field(ge=0, le=1)


class View(Model):
    """The fingerprint of one geometric variant of an image."""

    name: str = Field(examples=["whole"])
    fingerprint: FingerprintBytes


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
