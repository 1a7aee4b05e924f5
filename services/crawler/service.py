"""Decisions of the crawler service: what is monitored and how often, and what is kept how long."""

import contextlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from services.crawler.addresses import absolute
from services.crawler.settings import Settings
from services.crawler.store import CrawlerStore
from services.crawler.telling import Telling, read_message_key
from srpitp_contracts.crawling import (
    Crawl,
    CrawlCounts,
    CrawlReason,
    CrawlState,
    DetectedImage,
    DetectedImageWithSightings,
    Site,
    SiteRequest,
)
from srpitp_contracts.identifiers import derived_id, random_id
from srpitp_contracts.matching import MatchingOutcome
from srpitp_contracts.model import utc_now
from srpitp_contracts.pages import Page
from srpitp_servicekit.auth import Caller
from srpitp_servicekit.blobs import BlobKind, BlobStore
from srpitp_servicekit.egress import AddressPolicy
from srpitp_servicekit.idempotency import IdempotencyKeyReusedError, id_for
from srpitp_servicekit.problems import (
    AddressUnreachableError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
)


class CrawlerService:
    """What the routes and the loops ask for.

    Parameters
    ----------
    store, telling, blobs
        Where things are, and who tells the matcher of them.
    policy
        Which addresses may be crawled.
    settings
        How long images are kept.
    wake
        Called when a crawl waits.
    """

    def __init__(
        self,
        store: CrawlerStore,
        telling: Telling,
        blobs: BlobStore,
        policy: AddressPolicy,
        settings: Settings,
        wake: Callable[[], None],
    ) -> None:
        self._store = store
        self._telling = telling
        self._blobs = blobs
        self._policy = policy
        self._retention = settings.retention
        self._wake = wake

    async def add_site(
        self, request: SiteRequest, caller: Caller, idempotency_key: str | None
    ) -> Site:
        """Monitor a site, from now on; the same key makes the same site."""
        address = absolute(str(request.address), str(request.address))
        if address is None:
            raise InvalidRequestError("The address is not one that can be crawled.")
        now = utc_now()
        site = Site(
            **request.model_dump(exclude={"address"}),
            id=id_for(caller, "sites", idempotency_key),
            address=address,
            created_at=now,
            next_crawl_at=now,
        )
        # A name that does not resolve today may do so when it is crawled.
        with contextlib.suppress(AddressUnreachableError):
            await self._policy.resolve(address)
        if await self._store.add_site(site):
            return site
        made = await self.site(site.id)
        same = {"address", *SiteRequest.model_fields}
        if made.model_dump(include=same) != site.model_dump(include=same):
            raise IdempotencyKeyReusedError
        return made

    async def site(self, site_id: str) -> Site:
        """Return a site."""
        site = await self._store.site(site_id)
        if site is None:
            raise NotFoundError(f"There is no site {site_id}.")
        return site

    async def sites(self, *, limit: int, cursor: str | None) -> Page[Site]:
        """List the sites, newest first."""
        return await self._store.sites(limit=limit, cursor=cursor)

    async def delete_site(self, site_id: str) -> None:
        """Monitor a site no more; what was found on it is kept as long as any other finding."""
        if not await self._store.delete_site(site_id):
            raise NotFoundError(f"There is no site {site_id}.")

    async def request_crawl(self, site_id: str) -> Crawl:
        """Crawl a site now; a crawl that waits or runs already is the answer."""
        site = await self.site(site_id)
        for _ in range(3):  # an open crawl may end between the two questions
            crawl = _crawl(site, CrawlReason.REQUEST, random_id())
            if made := await self._store.add_crawl(crawl) or await self._store.open_crawl(site.id):
                self._wake()
                return made
        raise ConflictError("The site's crawls come and go too fast; ask again.")

    async def schedule_one(self) -> bool:
        """Write the crawl of a site that is due; return whether there was one."""
        now = utc_now()
        site = await self._store.due_site(now)
        if site is None:
            return False
        due = site.next_crawl_at
        crawl = _crawl(site, CrawlReason.SCHEDULE, derived_id("crawl", site.id, due.isoformat()))
        interval = timedelta(seconds=site.interval_seconds)
        # From the time it was due, so that the rhythm stays; what was missed is not made up for.
        missed = (now - due) // interval
        return await self._store.schedule(site, crawl, due + (missed + 1) * interval)

    async def crawl(self, crawl_id: str) -> Crawl:
        """Return a crawl."""
        crawl = await self._store.crawl(crawl_id)
        if crawl is None:
            raise NotFoundError(f"There is no crawl {crawl_id}.")
        return crawl

    async def crawls(
        self, site_id: str | None, state: CrawlState | None, *, limit: int, cursor: str | None
    ) -> Page[Crawl]:
        """List crawls, newest first."""
        return await self._store.crawls(site_id, state, limit=limit, cursor=cursor)

    async def detected(
        self, site_id: str | None, *, limit: int, cursor: str | None
    ) -> Page[DetectedImage]:
        """List detected images, newest first."""
        return await self._store.detected_images(site_id, limit=limit, cursor=cursor)

    async def detected_image(self, id_: str) -> DetectedImageWithSightings:
        """Return a detected image with every page that shows it."""
        return await self._store.with_sightings(await self._found(id_))

    async def file(self, id_: str) -> tuple[bytes, str]:
        """Return a detected image's bytes as they were served, and their format as we found it."""
        image = await self._found(id_)
        data = await self._blobs.get(image.evidence.storage_address)
        if data is None:
            raise NotFoundError(f"The bytes of {id_} are not there any more.")
        return data, image.format

    async def _found(self, id_: str) -> DetectedImage:
        image = await self._store.detected_image(id_)
        if image is None:
            raise NotFoundError(f"There is no detected image {id_}.")
        return image

    async def retain(self, tag: str, id_: str) -> None:
        """Keep a detected image as evidence; one that has expired is gone, which is no error."""
        await self._telling.retain(tag, id_)

    async def note_compared(self, key: str, answer: Any) -> None:
        """Note what the matcher said of a detected image: kept as a match, or for a time.

        Its own call to retain a match may come before this answer or after it; all three end
        alike, since a matched image never goes back.
        """
        tag, id_ = read_message_key(key)
        if MatchingOutcome.model_validate(answer).matches:
            await self._telling.retain(tag, id_)
        else:
            await self._telling.note_searched(tag, id_, utc_now() + self._retention)

    async def forget_one(self) -> bool:
        """Delete an image whose time is over, with its evidence; return whether there was one."""
        now = utc_now()
        image = await self._store.expired_image(now)
        if image is None:
            return False
        forgotten = await self._store.forget(image, now)
        if forgotten and not await self._store.is_detected(image.digest):
            await self._delete_evidence(image)
        return True

    async def _delete_evidence(self, image: DetectedImage) -> None:
        data = await self._blobs.get(image.evidence.storage_address)
        await self._blobs.delete(image.evidence.storage_address)
        # The same bytes may have been found elsewhere since that look. Here they are put back; a
        # crawl sees to it when it commits after this look.
        if data is not None and await self._store.is_detected(image.digest):
            await self._blobs.put(BlobKind.EVIDENCE, data)


def _crawl(site: Site, reason: CrawlReason, id_: str) -> Crawl:
    return Crawl(
        id=id_,
        site_id=site.id,
        reason=reason,
        state=CrawlState.WAITING,
        attempts=0,
        counts=CrawlCounts(),
        created_at=utc_now(),
    )
