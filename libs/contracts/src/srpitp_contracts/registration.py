"""Owners, their keys and their protected images: the interface of the registration service."""

from enum import StrEnum
from typing import Annotated

from pydantic import AnyHttpUrl, Field, model_validator

from srpitp_contracts.fingerprints import Profile, TagScore
from srpitp_contracts.model import Digest, Identifier, Model, Several, UtcTime


class Scope(StrEnum):
    """What a key allows."""

    OWNER = "owner"
    REVIEWER = "reviewer"
    ADMIN = "admin"
    SERVICE = "service"


class OwnerRequest(Model):
    """A new owner."""

    name: Annotated[str, Field(min_length=1, max_length=200, examples=["Studio Northlight"])]


class AlertPolicy(StrEnum):
    """Of which matches an owner is alerted."""

    CONFIRMED = "confirmed"
    """of those that are sure, by rule or by a reviewer"""
    EVERYTHING = "everything"
    """also of those that wait for a reviewer, as soon as they are found"""


class Owner(Model):
    """Someone whose photos are protected."""

    id: Identifier
    name: str
    alert_policy: AlertPolicy = AlertPolicy.CONFIRMED
    created_at: UtcTime


class OwnerChange(Model):
    """What is to be changed of an owner; a field that is left out stays as it is."""

    alert_policy: AlertPolicy | None = None


class KeyRequest(Model):
    """A new API key."""

    scopes: Annotated[Several[Scope], Field(min_length=1)] = frozenset({Scope.OWNER})
    note: Annotated[str, Field(max_length=200)] = ""


class Key(Model):
    """An API key, without its secret."""

    id: Identifier
    owner_id: Identifier | None
    scopes: Several[Scope]
    note: str
    created_at: UtcTime
    revoked_at: UtcTime | None = None


class IssuedKey(Key):
    """A key as it is shown once, when it is made."""

    secret: str = Field(description="shown only now: only its hash is kept")


class ProtectionStatus(StrEnum):
    """Whether a protected image is matched."""

    ACTIVE = "active"
    DELETED = "deleted"


class ProtectionPeriod(Model):
    """When an image is protected; no end means until it is deleted."""

    protected_from: UtcTime | None = Field(default=None, description="now, when left out")
    protected_until: UtcTime | None = None

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> "ProtectionPeriod":
        begins, ends = self.protected_from, self.protected_until
        if begins and ends and ends <= begins:
            raise ValueError("protected_until must lie after protected_from")
        return self


class ImageDetails(ProtectionPeriod):
    """What an owner says of an image."""

    title: Annotated[str, Field(max_length=500)] = ""


class ImageByAddress(ImageDetails):
    """Registration of an image that we fetch ourselves."""

    address: AnyHttpUrl


class ProtectedImage(Model):
    """A photo under protection."""

    id: Identifier
    owner_id: Identifier
    title: str
    digest: Digest
    size_bytes: int
    width: int
    height: int
    format: str
    quality: float
    textureless: bool
    notes: list[str]
    tag: str
    tags: list[TagScore]
    profile: Profile
    fp_version: int
    source_address: str | None = Field(description="where we fetched it, if we did")
    storage_address: str
    protected_from: UtcTime
    protected_until: UtcTime | None
    status: ProtectionStatus
    created_at: UtcTime
    updated_at: UtcTime
