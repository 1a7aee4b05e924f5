"""What becomes of the pages and images that a crawl fetched (steps 5 to 7 of the paper)."""

import asyncio
import hashlib
import logging
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import httpx

from services.crawler.findings import FindingStore
from services.crawler.page import Page, read_page
from services.crawler.settings import Settings
from services.crawler.state import ImageState, PageState, Shown, image_id, page_id
from services.crawler.statements import time_statement
from srpitp_contracts.crawling import (
    Crawl,
    CrawlCounts,
    DetectedImage,
    DetectedState,
    Evidence,
    Sighting,
)
from srpitp_contracts.fingerprints import Extraction, Purpose
from srpitp_contracts.identifiers import detected_id, sighting_id
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import ServiceName
from srpitp_servicekit.blobs import BlobKind, BlobStore
from srpitp_servicekit.peers import Peers

logger = logging.getLogger(__name__)

_FINGERPRINTS = f"/v1/fingerprints?purpose={Purpose.DETECTED}"
_HTML = ("text/html", "application/xhtml+xml", "application/xml", "text/xml")
_MAX_HEADERS = 64
_MAX_HEADER_LENGTH = 1000
_HEADER_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
_LAST_MODIFIED_CONFIDENCE = 0.3
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.25, 2.0


class FingerprintAwayError(Exception):
    """The fingerprint service gave no answer for too long."""


class ImageRefusedError(Exception):
    """The fingerprint service cannot take these bytes; the text is its code."""


@dataclass(frozen=True)
class Answer:
    """What a server sent."""

    address: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def digest(self) -> str:
        """The SHA-256 of the body."""
        return hashlib.sha256(self.body).hexdigest()

    def evidence_headers(self) -> dict[str, str]:
        """Return the headers, as many and as long as may be kept."""
        sane = [
            (name, value) for name, value in self.headers.items() if _HEADER_NAME.fullmatch(name)
        ]
        return {name: value[:_MAX_HEADER_LENGTH] for name, value in sane[:_MAX_HEADERS]}


class Intake:
    """Takes what one crawl fetches.

    Parameters
    ----------
    crawl
        The crawl, with the counts of its earlier attempts.
    store, blobs, peers, settings
        Where things go.
    """

    def __init__(
        self, crawl: Crawl, store: FindingStore, blobs: BlobStore, peers: Peers, settings: Settings
    ) -> None:
        self._crawl = crawl
        self._store = store
        self._blobs = blobs
        self._peers = peers
        self._patience = settings.fingerprint_patience_seconds
        self._retention = settings.retention
        self._at_once = asyncio.Semaphore(settings.fingerprint_concurrency)
        self._counted: Counter[str] = Counter(crawl.counts.model_dump())

    @property
    def counts(self) -> CrawlCounts:
        """What the crawl did up to now, its earlier attempts included."""
        return CrawlCounts(**self._counted)

    def count_failure(self) -> None:
        """Count a request that came to nothing."""
        self._counted["requests_failed"] += 1

    async def known_pages(self, addresses: Sequence[str]) -> dict[str, PageState]:
        """Return what is remembered of pages, by address."""
        ids = {page_id(self._crawl.site_id, address): address for address in addresses}
        states = await self._store.states(PageState, ids)
        return {ids[id_]: state for id_, state in states.items()}

    async def known_images(self, addresses: Sequence[str]) -> dict[str, ImageState]:
        """Return what is remembered of images, by address."""
        ids = {image_id(self._crawl.site_id, address): address for address in addresses}
        states = await self._store.states(ImageState, ids)
        return {ids[id_]: state for id_, state in states.items()}

    def is_done(self, state: PageState | ImageState) -> bool:
        """Return whether this crawl has seen to an address already, maybe before it was killed."""
        return state.crawl_id == self._crawl.id

    async def take_page(self, address: str, known: PageState | None, answer: Answer) -> PageState:
        """Remember a page, read anew when it changed.

        It is saved before its images are asked for, so that none of them is lost by a kill.
        """
        not_modified = answer.status == httpx.codes.NOT_MODIFIED
        self._counted["pages_unchanged" if not_modified else "pages_fetched"] += 1
        validators = _validators(answer)
        if known and (not_modified or known.digest == answer.digest):
            state = known.seen(
                self._crawl.id, utc_now(), final_address=answer.address, **validators
            )
        else:
            state = PageState(
                id=page_id(self._crawl.site_id, address),
                site_id=self._crawl.site_id,
                address=address,
                digest=answer.digest,
                crawl_id=self._crawl.id,
                last_seen=utc_now(),
                final_address=answer.address,
                page=_read(answer),
                **validators,
            )
        await self._store.save_state(state)
        return state

    async def take_image(
        self, address: str, known: ImageState | None, answer: Answer, shown: Sequence[Shown]
    ) -> ImageState | None:
        """Take an image: note it as seen again, or fingerprint and keep it when it is new.

        Returns what is remembered of it, or None when it was not modified but its detected image
        has expired: then it must be fetched in full.
        """
        if known and answer.status == httpx.codes.NOT_MODIFIED:
            self._counted["images_unchanged"] += 1
            state = known.seen(self._crawl.id, utc_now(), **_validators(answer))
            return state if await self.see_again(state, shown) or not self._retention else None
        self._counted["images_fetched"] += 1
        if known and known.digest == answer.digest:
            state = known.seen(self._crawl.id, utc_now(), **_validators(answer))
            if await self.see_again(state, shown) or not self._retention:
                return state
        return await self._take_new(address, answer, shown)

    async def see_again(self, state: ImageState, shown: Sequence[Shown]) -> bool:
        """Note that pages show a known image; False when its detected image has expired."""
        sightings = self._sightings(state.detected_id, shown, state.last_modified)
        return await self._store.see_again(state, sightings, utc_now() + self._retention)

    async def _take_new(self, address: str, answer: Answer, shown: Sequence[Shown]) -> ImageState:
        now = utc_now()
        state = ImageState(
            id=image_id(self._crawl.site_id, address),
            site_id=self._crawl.site_id,
            address=address,
            digest=answer.digest,
            crawl_id=self._crawl.id,
            last_seen=now,
            **_validators(answer),
        )
        try:
            extraction = await self._extract(answer.body)
        except ImageRefusedError as refusal:
            self._counted["images_refused"] += 1
            state = state.model_copy(update={"refused": str(refusal)})
            await self._store.save_state(state)
            return state
        image = await self._detected(address, answer, extraction, now)
        state = state.model_copy(update={"detected_id": image.id, "tag": image.tag})
        sightings = self._sightings(image.id, shown, state.last_modified)
        if await self._store.add_image(image, extraction, sightings, state):
            self._counted["images_new"] += 1
        # Until now nothing referred to these bytes, so the expiry of another image with the same
        # ones may have taken them away; from now on it will not.
        await self._blobs.put(BlobKind.EVIDENCE, answer.body)
        return state

    async def _detected(
        self, address: str, answer: Answer, extraction: Extraction, now: datetime
    ) -> DetectedImage:
        evidence = Evidence(
            storage_address=await self._blobs.put(BlobKind.EVIDENCE, answer.body),
            status=answer.status,
            headers=answer.evidence_headers(),
            fetched_at=now,
        )
        shared = DetectedImage.model_fields.keys() & Extraction.model_fields.keys()
        id_ = detected_id(address, extraction.digest)
        # One that is there already stays where it is, also when another head tells tags now.
        tag = await self._store.tag_of(id_) or extraction.tags[0].tag
        stored = utc_now()  # and not before: others tell by it what was in the store at a moment
        return DetectedImage(
            **extraction.model_dump(include=set(shared)),
            id=id_,
            site_id=self._crawl.site_id,
            image_address=address,
            tag=tag,
            state=DetectedState.WAITING,
            evidence=evidence,
            first_seen=stored,
            last_seen=stored,
        )

    def _sightings(
        self, detected: str | None, shown: Sequence[Shown], last_modified: str | None
    ) -> list[Sighting]:
        if detected is None:  # refused: nothing was detected there
            return []
        now = utc_now()
        # A server's word on its file is the weakest: a copy may have been moved about.
        fallback = last_modified and time_statement(
            last_modified, "http:last-modified", _LAST_MODIFIED_CONFIDENCE
        )
        return [
            Sighting(
                id=sighting_id(detected, one.page_address),
                image_id=detected,
                site_id=self._crawl.site_id,
                page_address=one.page_address,
                page_title=one.page_title,
                uploader=one.image.uploader,
                uploaded_at=one.image.uploaded_at or fallback or None,
                first_seen=now,
                last_seen=now,
            )
            for one in shown
        ]

    async def _extract(self, data: bytes) -> Extraction:
        deadline = time.monotonic() + self._patience
        wait = _FIRST_WAIT_SECONDS
        async with self._at_once:
            while True:
                try:
                    return await self._ask(data)
                except httpx.HTTPError as error:
                    left = deadline - time.monotonic()
                    if left <= 0:
                        raise FingerprintAwayError(str(error) or type(error).__name__) from error
                await asyncio.sleep(min(wait, left))
                wait = min(wait * 2, _LONGEST_WAIT_SECONDS)

    async def _ask(self, data: bytes) -> Extraction:
        answer = await self._peers.post_bytes(ServiceName.FINGERPRINT, _FINGERPRINTS, data)
        if answer.is_client_error and (code := _code(answer)).startswith("image_"):
            raise ImageRefusedError(code)
        answer.raise_for_status()
        return Extraction.model_validate_json(answer.content)


def _code(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("code", ""))
    except (ValueError, AttributeError):
        return ""


def _validators(answer: Answer) -> dict[str, str | None]:
    return {
        "etag": answer.headers.get("etag"),
        "last_modified": answer.headers.get("last-modified"),
    }


def _read(answer: Answer) -> Page:
    content_type = answer.headers.get("content-type", "text/html")
    if not content_type.lower().startswith(_HTML):
        return Page()
    return read_page(answer.body, answer.address, content_type)
