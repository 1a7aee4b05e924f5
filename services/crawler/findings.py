"""What a crawl reads and writes in MongoDB while it runs; the other half of the store.

All of it may be done twice: a crawl that was killed is taken up again and comes to the same end.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from services.crawler.state import AddressState, ImageState, PageState
from services.crawler.telling import Telling
from srpitp_contracts.crawling import (
    Crawl,
    CrawlCounts,
    DetectedImage,
    DetectedState,
    Sighting,
    Site,
)
from srpitp_contracts.fingerprints import Extraction
from srpitp_contracts.names import Collection
from srpitp_servicekit.mongo import (
    Database,
    Document,
    Session,
    from_document,
    to_document,
    transaction,
)

S = TypeVar("S", bound=AddressState)


class FindingStore:
    """What one crawl finds."""

    def __init__(self, db: Database, telling: Telling) -> None:
        self._db = db
        self._telling = telling
        self._sites = db[Collection.SITES]
        self._crawls = db[Collection.CRAWLS]
        self._states = db[Collection.CRAWL_STATE]
        self._detected = db[Collection.DETECTED]
        self._descriptions = db[Collection.DESCRIPTIONS]
        self._sightings = db[Collection.SIGHTINGS]

    async def running_crawl(self, crawl_id: str) -> tuple[Crawl, Site, str] | None:
        """Return a claimed crawl, its site and its lease; None when it is not to run."""
        crawl = await self._crawls.find_one({"_id": crawl_id, "lease": {"$type": "string"}})
        site = await self._sites.find_one({"_id": crawl["site_id"]}) if crawl else None
        if crawl is None or site is None:
            return None
        return from_document(Crawl, crawl), from_document(Site, site), crawl["lease"]

    async def report(self, crawl_id: str, lease: str, counts: CrawlCounts) -> bool:
        """Write how far the crawl is; False when it is not ours any more."""
        result = await self._crawls.update_one(
            {"_id": crawl_id, "lease": lease}, {"$set": {"counts": counts.model_dump()}}
        )
        return result.matched_count == 1

    async def states(self, model: type[S], ids: Iterable[str]) -> dict[str, S]:
        """Return what is remembered of addresses, by id."""
        found = self._states.find({"_id": {"$in": list(ids)}})
        return {document["_id"]: from_document(model, document) async for document in found}

    async def save_state(
        self, state: PageState | ImageState, *, session: Session | None = None
    ) -> None:
        """Remember an address."""
        document = to_document(state)
        await self._states.replace_one(
            {"_id": document["_id"]}, document, upsert=True, session=session
        )

    async def tag_of(self, id_: str) -> str | None:
        """Return the tag under which a detected image is stored, if it is."""
        document = await self._detected.find_one({"_id": id_}, {"tag": 1})
        return document["tag"] if document else None

    async def add_image(
        self,
        image: DetectedImage,
        extraction: Extraction,
        sightings: Sequence[Sighting],
        state: ImageState,
    ) -> bool:
        """Write an image and the message that it is to be compared; return whether it is new.

        With it go its description, its sightings and what is remembered of its address: all or
        nothing.
        """
        key = {"tag": image.tag, "_id": image.id}
        fields = {
            **to_document(image),
            **extraction.model_dump(include={"views", "panels"}),
            "created_at": image.first_seen,
        }
        fresh = {name: value for name, value in fields.items() if name not in key}

        async def work(session: Session) -> bool:
            result = await self._detected.update_one(
                key, {"$setOnInsert": fresh}, upsert=True, session=session
            )
            is_new = result.upserted_id is not None
            if is_new:
                await self._describe(image.id, extraction.description, session)
                await self._telling.of_new(image, session)
            else:
                await self._touch(image.tag, image.id, image.last_seen, None, session)
            news = await self._sight(sightings, session)
            if not is_new:
                await self._telling.of_pages(image.tag, image.id, news, session)
            await self.save_state(state, session=session)
            return is_new

        is_new = await transaction(self._db, work)
        self._telling.wake()
        return is_new

    async def see_again(
        self, state: ImageState, sightings: Sequence[Sighting], expires_at: datetime
    ) -> bool:
        """Note that a known image is still shown; False when it has expired meanwhile.

        Time begins anew for an image that is kept without a match: it is still published.
        """

        async def work(session: Session) -> bool:
            if state.detected_id is not None and state.tag is not None:
                is_kept = await self._touch(
                    state.tag, state.detected_id, state.last_seen, expires_at, session
                )
                if not is_kept:
                    return False
                news = await self._sight(sightings, session)
                await self._telling.of_pages(state.tag, state.detected_id, news, session)
            await self.save_state(state, session=session)
            return True

        is_kept = await transaction(self._db, work)
        self._telling.wake()
        return is_kept

    async def _describe(self, id_: str, packed: bytes | None, session: Session) -> None:
        if packed is not None:
            await self._descriptions.replace_one(
                {"_id": id_}, {"packed": packed}, upsert=True, session=session
            )

    async def _touch(
        self, tag: str, id_: str, at: datetime, expires_at: datetime | None, session: Session
    ) -> bool:
        is_searched = {"$eq": ["$state", str(DetectedState.SEARCHED)]}
        later = {"$cond": [is_searched, {"$max": ["$expires_at", expires_at]}, "$expires_at"]}
        result = await self._detected.update_one(
            {"tag": tag, "_id": id_},
            [{"$set": {"last_seen": {"$max": ["$last_seen", at]}, "expires_at": later}}],
            session=session,
        )
        return result.matched_count == 1

    async def _sight(self, sightings: Sequence[Sighting], session: Session) -> list[Sighting]:
        """Note where an image is seen; return what the matcher does not know yet."""
        news = []
        for sighting in sightings:
            document = to_document(sighting)
            key = {name: document.pop(name) for name in ("image_id", "_id")}
            # What a page stated once stays, also when it states nothing any more.
            kept = {"site_id", "page_address", "first_seen"} | {
                name for name in ("page_title", "uploader", "uploaded_at") if not document[name]
            }
            changed = {name: value for name, value in document.items() if name not in kept}
            first = {name: value for name, value in document.items() if name in kept}
            before = await self._sightings.find_one_and_update(
                key, {"$set": changed, "$setOnInsert": first}, upsert=True, session=session
            )
            if before is None or _names_another(before, sighting):
                news.append(sighting)
        return news


def _names_another(before: Document, sighting: Sighting) -> bool:
    """Return whether a page names another uploader than before."""
    said, says = before["uploader"], sighting.uploader
    return says is not None and (said is None or said["value"] != says.value)
