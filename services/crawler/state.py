"""What a crawl remembers of an address, so that the next one takes only what is new or changed."""

from datetime import datetime
from typing import Self

from services.crawler.addresses import identity
from services.crawler.page import Page, PageImage
from srpitp_contracts.identifiers import derived_id
from srpitp_contracts.model import Digest, Identifier, Model, UtcTime

Validators = dict[str, str]
"""Request headers that let a server answer 304 Not Modified."""


def page_id(site_id: str, address: str) -> str:
    """Return the id of what is remembered of a page."""
    return derived_id("page", site_id, identity(address))


def image_id(site_id: str, address: str) -> str:
    """Return the id of what is remembered of an image; each site remembers by itself."""
    return derived_id("image", site_id, identity(address))


class AddressState(Model):
    """What is remembered of any address."""

    id: Identifier
    site_id: Identifier
    address: str
    digest: Digest
    etag: str | None
    last_modified: str | None
    crawl_id: Identifier
    """The crawl that looked last: taken up again after a kill, it need not look once more."""
    last_seen: UtcTime

    def validators(self) -> Validators:
        """Return the headers of a conditional request (RFC 9110, section 13.1)."""
        named = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in named.items() if value}

    def seen(self, crawl_id: str, at: datetime, **changes: str | None) -> Self:
        """Return the state after one more look."""
        given = {name: value for name, value in changes.items() if value is not None}
        return self.model_copy(update={**given, "crawl_id": crawl_id, "last_seen": at})


class PageState(AddressState):
    """A page, and what was read from it: a page that did not change still shows its images."""

    final_address: str
    """Where redirects led."""
    page: Page


class ImageState(AddressState):
    """An image: where its detected image is, or why there is none."""

    detected_id: Identifier | None = None
    tag: str | None = None
    refused: str | None = None
    """The code with which the fingerprint service refused these bytes."""


class Shown(Model):
    """An image's appearance on a page."""

    page_address: str
    page_title: str | None
    image: PageImage
