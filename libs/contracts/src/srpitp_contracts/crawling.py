"""Sites, crawls and what was found on them: the interface of the crawler service."""

from enum import StrEnum
from typing import Annotated

from pydantic import AnyHttpUrl, Field

from srpitp_contracts.fingerprints import TagScore
from srpitp_contracts.model import Digest, Identifier, Model, UtcTime


class SiteRequest(Model):
    """A site to be monitored."""

    address: AnyHttpUrl = Field(description="where a crawl starts")
    name: Annotated[str, Field(max_length=200)] = ""
    interval_seconds: Annotated[int, Field(ge=1, le=31_536_000)] = 86_400
    max_pages: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    max_depth: Annotated[int, Field(ge=0, le=100)] = 10
    obey_robots: bool = True


class Site(Model):
    """A site that the administrator chose."""

    id: Identifier
    address: str
    name: str
    interval_seconds: int
    max_pages: int
    max_depth: int
    obey_robots: bool
    created_at: UtcTime
    next_crawl_at: UtcTime
    last_crawl_id: Identifier | None = None


class CrawlState(StrEnum):
    """How far a crawl is."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


class CrawlReason(StrEnum):
    """Why a crawl was started."""

    SCHEDULE = "schedule"
    REQUEST = "request"


class CrawlCounts(Model):
    """What a crawl did."""

    pages_fetched: int = Field(default=0, description="pages whose bytes were sent to us")
    pages_unchanged: int = Field(default=0, description="pages answered by 304 Not Modified")
    images_fetched: int = Field(default=0, description="images whose bytes were sent to us")
    images_unchanged: int = Field(default=0, description="images answered by 304 Not Modified")
    images_new: int = Field(default=0, description="bytes not seen at that address before")
    images_refused: int = Field(default=0, description="too large, broken or not an image")
    requests_failed: int = 0


class Crawl(Model):
    """One visit to a site."""

    id: Identifier
    site_id: Identifier
    reason: CrawlReason
    state: CrawlState
    attempts: int
    counts: CrawlCounts
    error: str | None = None
    created_at: UtcTime
    started_at: UtcTime | None = None
    finished_at: UtcTime | None = None


class Statement(Model):
    """Something that a page says, with where it says it."""

    value: str
    source: str = Field(description="where on the page", examples=["json-ld:author", "og:time"])
    confidence: float = Field(ge=0, le=1)


class Sighting(Model):
    """A page on which a detected image was seen."""

    id: Identifier
    image_id: Identifier
    site_id: Identifier
    page_address: str
    page_title: str | None
    uploader: Statement | None
    uploaded_at: Statement | None = Field(description="the value is RFC 3339")
    first_seen: UtcTime
    last_seen: UtcTime


class DetectedState(StrEnum):
    """How far a detected image is."""

    WAITING = "waiting"
    """not yet compared"""
    SEARCHED = "searched"
    """compared, nothing found; kept for late registrations until it expires"""
    MATCHED = "matched"
    """part of a match; kept as evidence"""


class Evidence(Model):
    """What a server sent us, as it was sent."""

    storage_address: str
    status: int
    headers: dict[str, str]
    fetched_at: UtcTime


class DetectedImage(Model):
    """An image found on a site."""

    id: Identifier
    site_id: Identifier
    image_address: str
    digest: Digest
    size_bytes: int
    width: int
    height: int
    format: str
    quality: float
    textureless: bool
    tag: str
    tags: list[TagScore]
    state: DetectedState
    evidence: Evidence
    first_seen: UtcTime
    last_seen: UtcTime
    expires_at: UtcTime | None = None


class DetectedImageWithSightings(DetectedImage):
    """A detected image and every page that shows it."""

    sightings: list[Sighting]


class RetainRequest(Model):
    """The matcher asks that a detected image be kept as evidence."""

    tag: str
