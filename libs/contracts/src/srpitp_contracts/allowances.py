"""Allowances: where an owner's photos may be shown, so that nobody is alerted of it."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from srpitp_contracts.model import Identifier, Model, Several, UtcTime
from srpitp_contracts.places import PagePrefix, Site, read_page_prefix, read_site


class AllowanceKind(StrEnum):
    """What an allowance names."""

    SITE = "site"
    """a host with its subdomains, such as `example.org`; at a port if one is named"""
    PAGE_PREFIX = "page_prefix"
    """an address and what lies below it, such as `https://example.org/blog`; this host only"""
    UPLOADER = "uploader"
    """a name that pages state, on a site or below an address: by itself anybody can take it"""


class AllowanceRequest(Model):
    """A licence that an owner gave."""

    kind: AllowanceKind
    value: Annotated[str, Field(min_length=1, max_length=2000)] = Field(
        description="the host, the address, or the uploader's name as the pages state it",
        examples=["example.org"],
    )
    on: Annotated[str, Field(min_length=1, max_length=2000)] | None = Field(
        default=None,
        description="for an uploader, and required then: the host, or the address (it starts with "
        "http:// or https://), on whose pages the name counts",
    )
    image_ids: Several[Identifier] = Field(
        default=frozenset(),
        max_length=1000,
        description="for these protected images only; for all of the owner's when empty",
    )
    valid_from: UtcTime | None = Field(default=None, description="now, when left out")
    valid_until: UtcTime | None = Field(default=None, description="without end, when left out")
    note: Annotated[str, Field(max_length=2000)] = ""

    @model_validator(mode="after")
    def _can_be_read(self) -> "AllowanceRequest":
        if (self.kind is AllowanceKind.UPLOADER) != (self.on is not None):
            raise ValueError("an uploader, and nothing else, needs `on`: the site that knows them")
        place_of(self.kind, self.value, self.on)
        begins, ends = self.valid_from, self.valid_until
        if begins and ends and ends <= begins:
            raise ValueError("valid_until must lie after valid_from")
        return self


class Allowance(Model):
    """A licence that an owner gave; matches that it covers alert nobody while it is in force."""

    id: Identifier
    owner_id: Identifier
    kind: AllowanceKind
    value: str
    on: str | None
    image_ids: Several[Identifier]
    valid_from: UtcTime
    valid_until: UtcTime | None
    note: str
    created_at: UtcTime


class AllowanceEvent(Model):
    """An allowance begins, ends, or is gone: judge its owner's matches anew."""

    owner_id: Identifier
    at: UtcTime = Field(description="when it does")


def place_of(kind: AllowanceKind, value: str, on: str | None) -> Site | PagePrefix:
    """Return where the pages lie that an allowance covers.

    Raises
    ------
    ValueError
        When it cannot be read; says why.
    """
    match kind:
        case AllowanceKind.SITE:
            return read_site(value)
        case AllowanceKind.PAGE_PREFIX:
            return read_page_prefix(value)
        case AllowanceKind.UPLOADER:
            where = on or ""
            return read_page_prefix(where) if "://" in where else read_site(where)
