"""What becomes of fetched images, in this process: here every command to MongoDB is watched."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from services.crawler.findings import FindingStore
from services.crawler.intake import Answer, Intake
from services.crawler.page import PageImage
from services.crawler.service import CrawlerService
from services.crawler.settings import Settings
from services.crawler.state import Shown
from services.crawler.store import INDEXES, CrawlerStore
from srpitp_contracts.crawling import Crawl, CrawlCounts, CrawlReason, CrawlState, Statement
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

    def __init__(self, db: Database, findings: FindingStore, make: object) -> None:
        self.db = db
        self.findings = findings
        self._make = make

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
        findings = FindingStore(db, Outbox(db, ServiceName.CRAWLER, peers))
        blobs = BlobStore(settings.data_dir)

        def make(number: int) -> Intake:
            return Intake(_crawl(number), findings, blobs, peers, settings)

        yield Crawls(db, findings, make)
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
    store = CrawlerStore(crawls.db)
    soon = utc_now() + timedelta(seconds=1)
    await store.note_searched(state.tag, state.detected_id, soon)
    await crawls.next(2).take_image(ADDRESS, state, answer(304), [shown("one")])
    image = await store.detected_image(state.detected_id)
    assert image is not None
    assert image.expires_at is not None
    assert image.expires_at > soon + timedelta(days=80)
    await store.retain(state.tag, state.detected_id)
    await crawls.next(3).take_image(ADDRESS, state, answer(304), [shown("one")])
    image = await store.detected_image(state.detected_id)
    assert image is not None
    assert image.expires_at is None


async def test_an_expired_image_that_is_shown_again_is_compared_again(
    crawls: Crawls, environment: dict[str, str]
) -> None:
    settings = Settings()
    state = await crawls.next(1).take_image(ADDRESS, None, answer(), [shown("one")])
    assert state is not None
    assert state.detected_id is not None
    assert state.tag is not None
    store, blobs = CrawlerStore(crawls.db), BlobStore(settings.data_dir)
    service = CrawlerService(store, blobs, AddressPolicy(), settings, lambda: None)
    assert not await service.forget_one()
    await store.note_searched(state.tag, state.detected_id, utc_now())
    assert await service.forget_one()
    assert await blobs.get(f"evidence/{state.digest}") is None
    assert await crawls.db[Collection.SIGHTINGS].count_documents({}) == 0

    later = crawls.next(2)
    assert await later.take_image(ADDRESS, state, answer(304), [shown("one")]) is None
    fresh = await later.take_image(ADDRESS, state, answer(), [shown("one")])
    assert fresh is not None
    assert fresh.detected_id == state.detected_id
    assert later.counts.images_new == 1
    assert await crawls.db[Collection.OUTBOX].count_documents({}) == 2
    assert await blobs.get(f"evidence/{state.digest}") == photo(1)


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
