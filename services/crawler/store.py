"""What the crawler reads and writes in MongoDB: sites, crawls, detected images and sightings."""

from datetime import datetime
from typing import Any

from srpitp_contracts.crawling import (
    Crawl,
    CrawlState,
    DetectedImage,
    DetectedImageWithSightings,
    Sighting,
    Site,
)
from srpitp_contracts.names import Collection
from srpitp_contracts.pages import Page
from srpitp_servicekit.mongo import (
    ASCENDING,
    DESCENDING,
    Database,
    Document,
    DuplicateKeyError,
    Indexes,
    IndexModel,
    Session,
    from_document,
    to_document,
    transaction,
)
from srpitp_servicekit.outbox import OUTBOX_INDEXES
from srpitp_servicekit.paging import find_page
from srpitp_servicekit.queue import QUEUE_INDEX, waiting_fields

_NEWEST_FIRST = [("created_at", DESCENDING), ("_id", DESCENDING)]
_OPEN = {"due_at": {"$type": "date"}}  # waiting or running: a crawl that ended is never due

INDEXES: Indexes = {
    **OUTBOX_INDEXES,
    Collection.SITES: [
        IndexModel([("next_crawl_at", ASCENDING)]),
        IndexModel(_NEWEST_FIRST),
    ],
    Collection.CRAWLS: [
        QUEUE_INDEX,
        IndexModel(
            [("site_id", ASCENDING)],
            name="one_open_per_site",
            unique=True,
            partialFilterExpression=_OPEN,
        ),
        IndexModel([("site_id", ASCENDING), *_NEWEST_FIRST]),
        IndexModel(_NEWEST_FIRST),
    ],
    Collection.CRAWL_STATE: [IndexModel([("site_id", ASCENDING)])],
    Collection.DETECTED: [
        IndexModel([("tag", ASCENDING), ("_id", ASCENDING)], name="shard_key"),
        IndexModel([("site_id", ASCENDING), *_NEWEST_FIRST]),
        IndexModel(_NEWEST_FIRST),
        IndexModel([("digest", ASCENDING)]),
        IndexModel([("tags.tag", ASCENDING)]),
        # No TTL index: the evidence and the sightings must go with the image, so we sweep.
        IndexModel(
            [("expires_at", ASCENDING)],
            name="expiring",
            partialFilterExpression={"expires_at": {"$type": "date"}},
        ),
    ],
    Collection.DESCRIPTIONS: [],
    Collection.SIGHTINGS: [IndexModel([("image_id", ASCENDING)])],
}


class CrawlerStore:
    """Sites and crawls, and the images that were found."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._sites = db[Collection.SITES]
        self._crawls = db[Collection.CRAWLS]
        self._states = db[Collection.CRAWL_STATE]
        self._detected = db[Collection.DETECTED]
        self._descriptions = db[Collection.DESCRIPTIONS]
        self._sightings = db[Collection.SIGHTINGS]

    async def add_site(self, site: Site) -> bool:
        """Write a new site; return False when its id is taken."""
        try:
            await self._sites.insert_one(to_document(site))
        except DuplicateKeyError:
            return False
        return True

    async def site(self, id_: str) -> Site | None:
        """Return a site."""
        document = await self._sites.find_one({"_id": id_})
        return from_document(Site, document) if document else None

    async def sites(self, *, limit: int, cursor: str | None) -> Page[Site]:
        """Return the newest sites."""
        return await find_page(self._sites, {}, Site, limit=limit, cursor=cursor)

    async def delete_site(self, id_: str) -> bool:
        """Delete a site, its crawls and what they remember; a running crawl ends by itself."""
        deleted = await self._sites.delete_one({"_id": id_})
        await self._crawls.delete_many({"site_id": id_})
        await self._states.delete_many({"site_id": id_})
        return bool(deleted.deleted_count)

    async def due_site(self, now: datetime) -> Site | None:
        """Return the site that has waited longest for its next crawl, if one is due."""
        document = await self._sites.find_one(
            {"next_crawl_at": {"$lte": now}}, sort=[("next_crawl_at", ASCENDING)]
        )
        return from_document(Site, document) if document else None

    async def schedule(self, site: Site, crawl: Crawl, next_crawl_at: datetime) -> bool:
        """Write a due crawl and the time of the one after it, both or neither.

        While the site's last crawl is still open, only the time moves on. Returns False when
        another process was faster.
        """

        async def work(session: Session) -> bool:
            advanced = await self._sites.update_one(
                {"_id": site.id, "next_crawl_at": site.next_crawl_at},
                {"$set": {"next_crawl_at": next_crawl_at}},
                session=session,
            )
            if not advanced.modified_count:
                return False
            open_crawl = {"site_id": site.id, **_OPEN}
            if await self._crawls.find_one(open_crawl, session=session) is None:
                await self._crawls.insert_one(_waiting(crawl), session=session)
                await self._note_last_crawl(crawl, session)
            return True

        try:
            return await transaction(self._db, work)
        except DuplicateKeyError:  # a requested crawl came in between; look again
            return False

    async def add_crawl(self, crawl: Crawl) -> Crawl | None:
        """Write a crawl and return it; None when the site has an open one."""
        try:
            await self._crawls.insert_one(_waiting(crawl))
        except DuplicateKeyError:
            return None
        await self._note_last_crawl(crawl)
        return crawl

    async def _note_last_crawl(self, crawl: Crawl, session: Session | None = None) -> None:
        await self._sites.update_one(
            {"_id": crawl.site_id}, {"$set": {"last_crawl_id": crawl.id}}, session=session
        )

    async def open_crawl(self, site_id: str) -> Crawl | None:
        """Return a site's waiting or running crawl."""
        document = await self._crawls.find_one({"site_id": site_id, **_OPEN})
        return from_document(Crawl, document) if document else None

    async def crawl(self, id_: str) -> Crawl | None:
        """Return a crawl."""
        document = await self._crawls.find_one({"_id": id_})
        return from_document(Crawl, document) if document else None

    async def crawls(
        self, site_id: str | None, state: CrawlState | None, *, limit: int, cursor: str | None
    ) -> Page[Crawl]:
        """Return the newest crawls."""
        query = _given(site_id=site_id, state=state)
        return await find_page(self._crawls, query, Crawl, limit=limit, cursor=cursor)

    async def start_crawl(self, id_: str, lease: str, now: datetime) -> None:
        """Note that a claimed crawl is running."""
        mine = {"_id": id_, "lease": lease}
        await self._crawls.update_one(mine, {"$set": {"state": str(CrawlState.RUNNING)}})
        await self._crawls.update_one({**mine, "started_at": None}, {"$set": {"started_at": now}})

    async def detected_images(
        self, site_id: str | None, *, limit: int, cursor: str | None
    ) -> Page[DetectedImage]:
        """Return the newest detected images."""
        query = _given(site_id=site_id)
        return await find_page(self._detected, query, DetectedImage, limit=limit, cursor=cursor)

    async def detected_image(self, id_: str) -> DetectedImage | None:
        """Return a detected image, whatever its tag."""
        document = await self._detected.find_one({"_id": id_})
        return from_document(DetectedImage, document) if document else None

    async def with_sightings(self, image: DetectedImage) -> DetectedImageWithSightings:
        """Return a detected image and every page that shows it, first seen first."""
        found = self._sightings.find({"image_id": image.id}).sort("first_seen", ASCENDING)
        sightings = [from_document(Sighting, document) async for document in found]
        return DetectedImageWithSightings(**image.model_dump(), sightings=sightings)

    async def expired_image(self, now: datetime) -> DetectedImage | None:
        """Return an image whose time is over, if there is one."""
        # The type is named since a partial index serves only queries that repeat its condition.
        expired = {"expires_at": {"$lte": now, "$type": "date"}}
        document = await self._detected.find_one(expired)
        return from_document(DetectedImage, document) if document else None

    async def forget(self, image: DetectedImage, now: datetime) -> bool:
        """Delete all of an expired image; False when it was retained or seen again."""

        async def work(session: Session) -> bool:
            deleted = await self._detected.delete_one(
                {"tag": image.tag, "_id": image.id, "expires_at": {"$lte": now}}, session=session
            )
            if deleted.deleted_count:
                await self._descriptions.delete_one({"_id": image.id}, session=session)
                await self._sightings.delete_many({"image_id": image.id}, session=session)
            return bool(deleted.deleted_count)

        return await transaction(self._db, work)

    async def is_detected(self, digest: str) -> bool:
        """Return whether any detected image has these bytes."""
        return await self._detected.find_one({"digest": digest}, {"_id": 1}) is not None


def _waiting(crawl: Crawl) -> Document:
    return {**to_document(crawl), **waiting_fields()}


def _given(**fields: Any) -> Document:
    return {name: str(value) for name, value in fields.items() if value is not None}
