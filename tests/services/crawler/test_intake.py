"""What becomes of fetched images, in this process: here every command to MongoDB is watched."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from services.crawler.findings import FindingStore
from services.crawler.intake import Answer, Intake
from services.crawler.page import PageImage
from services.crawler.service import CrawlerService
from services.crawler.settings import Settings
from services.crawler.state import ImageState, Shown
from services.crawler.store import INDEXES, CrawlerStore
from services.crawler.telling import Telling, message_key, read_message_key
from srpitp_contracts.crawling import Crawl, CrawlCounts, CrawlReason, CrawlState, Statement
from srpitp_contracts.fingerprints import Extraction, TagScore
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import Collection, ServiceName
from srpitp_servicekit.blobs import BlobStore
from srpitp_servicekit.egress import AddressPolicy
from srpitp_servicekit.mongo import Database, open_database
from srpitp_servicekit.outbox import Outbox
from srpitp_servicekit.peers import open_peers
from tests.services.crawler.crawling import photo

ADDRESS = "http://site.example/a.jpg"


class Crawls:
    """Crawls of one site, one after another."""

    def __init__(self, db: Database, telling: Telling, blobs: BlobStore, make: object) -> None:
        self.db = db
        self.telling = telling
        self.blobs = blobs
        self.store = CrawlerStore(db)
        self._make = make

    @property
    def service(self) -> CrawlerService:
        return CrawlerService(
            self.store, self.telling, self.blobs, AddressPolicy(), Settings(), lambda: None
        )

    async def first(self, address: str = ADDRESS) -> ImageState:
        """Find an image for the first time."""
        state = await self.next(1).take_image(address, None, answer(), [shown("one", "ann")])
        assert state is not None
        assert state.detected_id is not None
        assert state.tag is not None
        return state

    async def told(self) -> list[str]:
        """Return what there is to tell the matcher, in order."""
        found = self.db[Collection.OUTBOX].find().sort("created_at")
        return [message["path"] async for message in found]

    async def count(self, collection: Collection) -> int:
        return await self.db[collection].count_documents({})

    def next(self, number: int) -> Intake:
        return self._make(number)  # type: ignore[operator,no-any-return]


@pytest.fixture
async def crawls(
    environment: dict[str, str], fingerprint_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Crawls]:
    monkeypatch.setenv("SRPITP_FINGERPRINT_URL", fingerprint_url)
    settings = Settings()
    async with (
        open_database(settings, INDEXES, service=ServiceName.CRAWLER) as db,
        open_peers(settings) as peers,
    ):
        telling = Telling(db, Outbox(db, ServiceName.CRAWLER, peers))
        findings = FindingStore(db, telling)
        blobs = BlobStore(settings.data_dir)

        def make(number: int) -> Intake:
            return Intake(_crawl(number), findings, blobs, peers, settings)

        yield Crawls(db, telling, blobs, make)
        await db.client.drop_database(db.name)


def _crawl(number: int) -> Crawl:
    return Crawl(
        id=f"crawl-{number}",
        site_id="site",
        reason=CrawlReason.REQUEST,
        state=CrawlState.RUNNING,
        attempts=1,
        counts=CrawlCounts(),
        created_at=utc_now(),
    )


def answer(status: int = 200, body: bytes | None = None) -> Answer:
    whole = photo(1) if body is None else body
    return Answer(ADDRESS, status, {"etag": '"1"', "$bad": "x"}, whole if status == 200 else b"")


def shown(page: str, uploader: str | None = None) -> Shown:
    said = Statement(value=uploader, source="card", confidence=0.6) if uploader else None
    image = PageImage(address=ADDRESS, uploader=said)
    return Shown(page_address=f"http://site.example/{page}", page_title=None, image=image)


async def test_an_image_is_new_once(crawls: Crawls) -> None:
    first = crawls.next(1)
    state = await first.take_image(ADDRESS, None, answer(), [shown("one", "ann")])
    assert state is not None
    known = await crawls.next(2).known_images([ADDRESS])
    assert known == {ADDRESS: state}
    second = crawls.next(2)
    again = await second.take_image(ADDRESS, state, answer(304), [shown("one"), shown("two")])
    assert again is not None
    assert second.is_done(again)
    assert not second.is_done(state)
    assert second.counts.images_unchanged == 1
    # As after a kill between the image's transaction and whatever came next.
    third = crawls.next(3)
    await third.take_image(ADDRESS, None, answer(), [shown("one")])
    assert third.counts.images_new == 0
    assert await crawls.db[Collection.OUTBOX].count_documents({}) == 1
    sightings = await crawls.db[Collection.SIGHTINGS].find().to_list(None)
    assert len(sightings) == 2
    assert {one["page_address"]: one["uploader"] for one in sightings} == {
        "http://site.example/one": {"value": "ann", "source": "card", "confidence": 0.6},
        "http://site.example/two": None,
    }


async def test_an_image_that_is_still_shown_does_not_expire(crawls: Crawls) -> None:
    state = await crawls.next(1).take_image(ADDRESS, None, answer(), [shown("one")])
    assert state is not None
    assert state.detected_id is not None
    assert state.tag is not None
    store = crawls.store
    soon = utc_now() + timedelta(seconds=1)
    await crawls.telling.note_searched(state.tag, state.detected_id, soon)
    await crawls.next(2).take_image(ADDRESS, state, answer(304), [shown("one")])
    image = await store.detected_image(state.detected_id)
    assert image is not None
    assert image.expires_at is not None
    assert image.expires_at > soon + timedelta(days=80)
    await crawls.telling.retain(state.tag, state.detected_id)
    await crawls.next(3).take_image(ADDRESS, state, answer(304), [shown("one")])
    image = await store.detected_image(state.detected_id)
    assert image is not None
    assert image.expires_at is None


async def expire(crawls: Crawls, state: ImageState) -> None:
    """Let an image's time be over: nothing matched it, and it is retained no longer."""
    assert state.detected_id is not None
    assert state.tag is not None
    await crawls.telling.note_searched(state.tag, state.detected_id, utc_now())


async def test_of_an_expired_image_nothing_is_kept(crawls: Crawls) -> None:
    state = await crawls.first()
    assert not await crawls.service.forget_one()
    for kept in (Collection.DETECTED, Collection.DESCRIPTIONS, Collection.SIGHTINGS):
        assert await crawls.count(kept) == 1
    await expire(crawls, state)
    assert await crawls.service.forget_one()
    for gone in (Collection.DETECTED, Collection.DESCRIPTIONS, Collection.SIGHTINGS):
        assert await crawls.count(gone) == 0
    assert await crawls.blobs.get(f"evidence/{state.digest}") is None
    assert not await crawls.service.forget_one()


async def test_what_expires_is_found_without_looking_at_every_image(crawls: Crawls) -> None:
    detected = crawls.db[Collection.DETECTED]
    before = await detected.aggregate([{"$indexStats": {}}]).to_list(None)
    assert await crawls.store.expired_image(utc_now()) is None
    after = await detected.aggregate([{"$indexStats": {}}]).to_list(None)
    uses = {one["name"]: one["accesses"]["ops"] for one in before}
    [used] = [one["name"] for one in after if one["accesses"]["ops"] > uses[one["name"]]]
    assert used == "expiring"


async def test_an_image_that_is_retained_keeps_everything(crawls: Crawls) -> None:
    state = await crawls.first()
    await expire(crawls, state)
    await crawls.telling.retain(str(state.tag), str(state.detected_id))
    assert not await crawls.service.forget_one()
    for kept in (Collection.DETECTED, Collection.DESCRIPTIONS, Collection.SIGHTINGS):
        assert await crawls.count(kept) == 1
    assert await crawls.blobs.get(f"evidence/{state.digest}") == photo(1)


@pytest.mark.parametrize(
    ("settings", "days"),
    [
        ({}, 90),
        ({"RETENTION_DAYS": "7"}, 7),
        ({"RETENTION_DAYS": "0"}, 0),
        ({"MATCHING_MODE": "paper"}, 0),
        ({"MATCHING_MODE": "paper", "RETENTION_DAYS": "7"}, 0),
    ],
)
async def test_an_image_without_a_match_is_kept_as_long_as_the_operator_says(
    crawls: Crawls, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], days: int
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"SRPITP_{name}", value)
    state = await crawls.first()
    image = await crawls.store.detected_image(str(state.detected_id))
    assert image is not None
    before = utc_now()
    key = message_key(image.tag, image.id, image.first_seen)
    await crawls.service.note_compared(key, {"compared": 1, "matches": []})
    image = await crawls.store.detected_image(str(state.detected_id))
    assert image is not None
    assert image.expires_at is not None
    assert before <= image.expires_at - timedelta(days=days) <= utc_now()
    assert await crawls.service.forget_one() is (days == 0)
    assert await crawls.count(Collection.DESCRIPTIONS) == (0 if days == 0 else 1)


async def test_bytes_that_are_found_elsewhere_as_they_expire_are_kept(
    crawls: Crawls, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "http://site.example/elsewhere.jpg"
    state = await crawls.first()
    await expire(crawls, state)
    delete = crawls.blobs.delete

    async def found_before(storage_address: str) -> None:
        await crawls.next(2).take_image(address, None, answer(), [shown("one")])
        await delete(storage_address)

    monkeypatch.setattr(crawls.blobs, "delete", found_before)
    assert await crawls.service.forget_one()
    assert await crawls.count(Collection.DETECTED) == 1
    assert await crawls.blobs.get(f"evidence/{state.digest}") == photo(1)


async def test_bytes_that_expire_as_they_are_found_elsewhere_are_kept(
    crawls: Crawls, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = await crawls.first()
    await expire(crawls, state)
    add_image = FindingStore.add_image

    async def expired_before(*args: Any) -> bool:
        assert await crawls.service.forget_one()
        assert await crawls.blobs.get(f"evidence/{state.digest}") is None
        return await add_image(*args)

    monkeypatch.setattr(FindingStore, "add_image", expired_before)
    address = "http://site.example/elsewhere.jpg"
    await crawls.next(2).take_image(address, None, answer(), [shown("one")])
    assert await crawls.count(Collection.DETECTED) == 1
    assert await crawls.blobs.get(f"evidence/{state.digest}") == photo(1)


async def test_a_page_more_is_told_of_an_image_that_matches(crawls: Crawls) -> None:
    state = await crawls.first()
    tag, id_ = str(state.tag), str(state.detected_id)
    await crawls.telling.retain(tag, id_)
    assert len(await crawls.told()) == 1
    for number, pages, told in (
        (2, [shown("one", "ann")], 1),
        (3, [shown("one"), shown("two"), shown("three")], 2),
        (4, [shown("two", "bob"), shown("three")], 3),
        (5, [shown("two", "bob"), shown("three")], 3),
    ):
        await crawls.next(number).take_image(ADDRESS, state, answer(304), pages)
        assert await crawls.told() == [f"/v1/detected/{id_}"] * told
    again = await crawls.next(6).take_image(ADDRESS, None, answer(), [shown("four")])
    assert again is not None
    assert len(await crawls.told()) == 4
    keys = [message["key"] async for message in crawls.db[Collection.OUTBOX].find()]
    assert {read_message_key(key) for key in keys} == {(tag, id_)}


async def test_a_page_more_of_an_image_without_a_match_is_told_once_it_matches(
    crawls: Crawls,
) -> None:
    state = await crawls.first()
    tag, id_ = str(state.tag), str(state.detected_id)
    for number in (2, 3):
        await crawls.next(number).take_image(ADDRESS, state, answer(304), [shown(f"{number}")])
        await crawls.telling.note_searched(tag, id_, utc_now() + timedelta(days=1))
    assert len(await crawls.told()) == 1
    for _ in range(2):  # the matcher's own call, and what became of its answer
        await crawls.telling.retain(tag, id_)
        assert len(await crawls.told()) == 2


async def test_an_expired_image_that_is_shown_again_is_compared_again(crawls: Crawls) -> None:
    state = await crawls.first()
    await expire(crawls, state)
    assert await crawls.service.forget_one()

    later = crawls.next(2)
    assert await later.take_image(ADDRESS, state, answer(304), [shown("one")]) is None
    fresh = await later.take_image(ADDRESS, state, answer(), [shown("one")])
    assert fresh is not None
    assert fresh.detected_id == state.detected_id
    assert later.counts.images_new == 1
    assert len(await crawls.told()) == 2
    assert await crawls.count(Collection.DESCRIPTIONS) == 1
    assert await crawls.blobs.get(f"evidence/{state.digest}") == photo(1)


async def test_an_image_that_is_found_anew_stays_under_its_tag(
    crawls: Crawls, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = await crawls.first()
    ask = Intake._ask

    async def asked_of_another_head(intake: Intake, data: bytes) -> Extraction:
        extraction = await ask(intake, data)
        return extraction.model_copy(update={"tags": [TagScore(tag="night", confidence=1)]})

    monkeypatch.setattr(Intake, "_ask", asked_of_another_head)
    again = await crawls.next(2).take_image(ADDRESS, None, answer(), [shown("two")])
    assert again is not None
    assert (again.detected_id, again.tag) == (state.detected_id, state.tag)
    assert await crawls.count(Collection.DETECTED) == 1


async def test_refused_bytes_are_refused_once(crawls: Crawls) -> None:
    text = answer(body=b"no image")
    first, second = crawls.next(1), crawls.next(2)
    state = await first.take_image(ADDRESS, None, text, [shown("one")])
    assert state is not None
    assert state.refused == "image_unsupported"
    assert await second.take_image(ADDRESS, state, text, [shown("one")]) is not None
    assert (first.counts.images_refused, second.counts.images_refused) == (1, 0)
    assert await crawls.db[Collection.SIGHTINGS].count_documents({}) == 0
    changed = await second.take_image(ADDRESS, state, answer(), [shown("one")])
    assert changed is not None
    assert changed.detected_id is not None


async def test_a_site_and_its_memory_are_deleted(crawls: Crawls) -> None:
    state = await crawls.next(1).take_image(ADDRESS, None, answer(), [shown("one")])
    assert state is not None
    await CrawlerStore(crawls.db).delete_site("site")
    assert await crawls.next(2).known_images([ADDRESS]) == {}
