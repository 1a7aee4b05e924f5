"""The live index over a real MongoDB: as fresh as the store at every search, and between them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from services.matcher.search.descriptions import DescriptionCache
from services.matcher.search.index import LiveIndex
from services.matcher.search.shared_lock import SharedLock
from services.matcher.search.store import ImageStore
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import Collection
from srpitp_fingerprint import Description, Extraction, View
from srpitp_matching import Budgets
from srpitp_servicekit.mongo import Database, PyMongoError
from srpitp_servicekit.problems import UnavailableError
from tests.deadlines import eventually
from tests.services.matcher.world import ORIGINAL, digest, fingerprint

LONG = 3600.0


class Index(LiveIndex):
    """With what the tests ask of it."""

    async def found(self, view: bytes = ORIGINAL, *tags: str) -> set[str]:
        extraction = Extraction(
            digest("looked for"), 1, 1, "array", 1, 1.0, False, "robust", 1,
            (View("whole", view, bytes(32)),),
        )  # fmt: skip
        looked, _ = await self.look(Description(extraction), tags or None)
        return {looked.ids[one.place] for one in looked.found if one.exact}

    @asynccontextmanager
    async def loaded(self) -> AsyncIterator["Index"]:
        async def is_ready() -> bool:
            return self.unready() is None

        async with self.running():
            await eventually(is_ready)
            yield self


def index_of(db: Database, *, poll_seconds: float = LONG, **options: Any) -> Index:
    options = {"points_limit": 100, **options}
    return Index(ImageStore(db), Budgets(), poll_seconds=poll_seconds, **options)


async def protect(db: Database, name: str, view: bytes = ORIGINAL, **changes: Any) -> None:
    now = utc_now()
    document = {
        "digest": digest(name),
        "textureless": False,
        "tag": "people",
        "tags": [{"tag": "people", "confidence": 0.9}],
        "views": [{"name": "whole", "fingerprint": view, "sketch": bytes(32)}],
        "protected_from": now - timedelta(days=1),
        "protected_until": None,
        "status": "active",
        "updated_at": now,
    } | changes
    key = {"tag": document["tag"], "_id": name}
    await db[Collection.PROTECTED].replace_one(key, document, upsert=True)


async def change(db: Database, name: str, **changes: Any) -> None:
    changes.setdefault("updated_at", utc_now() + timedelta(milliseconds=5))
    await db[Collection.PROTECTED].update_one({"tag": "people", "_id": name}, {"$set": changes})


async def test_it_is_ready_when_it_is_loaded(db: Database) -> None:
    for number in range(5):
        await protect(db, f"photo-{number}", fingerprint(number))
    index = index_of(db)
    assert index.unready() == "The protected images are being loaded."
    with pytest.raises(UnavailableError):
        await index.found()
    async with index.loaded():
        assert index.size == (5, 5)
        assert await index.found(fingerprint(3)) == {"photo-3"}
        assert index.thresholds.protected_images == 5


async def test_every_search_sees_what_was_committed_before_it(db: Database) -> None:
    async with index_of(db).loaded() as index:
        assert await index.found() == set()
        await protect(db, "photo")
        assert await index.found() == {"photo"}
        other = [{"name": "whole", "fingerprint": fingerprint(7), "sketch": bytes(32)}]
        await change(db, "photo", views=other)
        assert await index.found() == set()
        assert await index.found(fingerprint(7)) == {"photo"}
        await change(db, "photo", status="deleted", views=[], updated_at=utc_now() + timedelta(1))
        assert await index.found(fingerprint(7)) == set()
        assert index.size == (0, 0)


async def test_what_was_committed_late_is_not_missed(db: Database) -> None:
    await protect(db, "newer", fingerprint(1))
    async with index_of(db).loaded() as index:
        await protect(db, "older", fingerprint(2), updated_at=utc_now() - timedelta(seconds=50))
        assert await index.found(fingerprint(2)) == {"older"}


async def test_changes_count_without_a_search(db: Database) -> None:
    """The change stream wakes it: the next poll is an hour away."""
    async with index_of(db).loaded() as index:

        async def holds(count: int) -> bool:
            return index.size[0] == count

        await protect(db, "photo")
        await eventually(lambda: holds(1), seconds=2)
        await change(db, "photo", status="deleted")
        await eventually(lambda: holds(0), seconds=2)


async def test_protection_begins_and_ends_at_its_moment(db: Database) -> None:
    soon = utc_now() + timedelta(seconds=1.5)
    await protect(db, "ending", protected_until=soon)
    await protect(db, "beginning", fingerprint(2), protected_from=soon)
    async with index_of(db).loaded() as index:
        assert await index.found() == {"ending"}
        assert await index.found(fingerprint(2)) == set()

        async def is_over() -> bool:
            return utc_now() >= soon

        await eventually(is_over)
        assert await index.found() == set()
        assert await index.found(fingerprint(2)) == {"beginning"}


async def test_an_image_is_found_under_each_of_its_tags_only(db: Database) -> None:
    both = [{"tag": "people", "confidence": 0.6}, {"tag": "animal", "confidence": 0.3}]
    await protect(db, "both", tags=both)
    async with index_of(db).loaded() as index:
        for tags in (["people"], ["animal", "scenic"], ["animal"]):
            assert await index.found(ORIGINAL, *tags) == {"both"}
        assert await index.found(ORIGINAL, "scenic") == set()
        assert index.size == (1, 1)


async def test_an_index_that_outgrows_one_gallery_is_laid_out_by_tags(db: Database) -> None:
    await protect(db, "first")
    index = index_of(db, poll_seconds=0.02, tags_from=2)
    async with index.loaded():
        await protect(db, "second", fingerprint(2))
        assert await index.found(ORIGINAL, "scenic") == {"first"}
        assert not index.by_tags
        await protect(db, "third", fingerprint(3))

        async def is_laid_out() -> bool:
            return index.by_tags

        await eventually(is_laid_out)
        await change(db, "second", status="deleted")
        assert await index.found(ORIGINAL, "scenic") == set()
        assert await index.found(fingerprint(2), "people") == set()
        assert await index.found(fingerprint(3), "people") == {"third"}


async def test_what_cannot_be_read_is_logged_and_hinders_nobody(
    db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await protect(db, "broken", b"short")
    await protect(db, "sane")
    async with index_of(db).loaded() as index:
        assert await index.found() == {"sane"}
    assert "broken cannot be read" in caplog.text


async def test_an_index_that_cannot_look_is_not_ready(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> None:
        raise PyMongoError("away")

    async with index_of(db, poll_seconds=0.02, stale_seconds=0.2).loaded() as index:
        monkeypatch.setattr(ImageStore, "changes", fails)

        async def is_stale() -> bool:
            return "those of" in (index.unready() or "")

        await eventually(is_stale)
        with pytest.raises(PyMongoError):
            await index.found()
        monkeypatch.undo()

        async def is_ready() -> bool:
            return index.unready() is None

        await eventually(is_ready)


async def test_removed_images_are_compacted_away(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("srpitp_matching.pictures._FEWEST_REMOVED", 1)
    for number in range(6):
        await protect(db, f"photo-{number}", fingerprint(number))
    async with index_of(db, poll_seconds=0.02).loaded() as index:
        for number in range(5):
            await change(db, f"photo-{number}", status="deleted")

        async def is_small() -> bool:
            return index.places == 1

        await eventually(is_small)
        assert await index.found(fingerprint(5)) == {"photo-5"}


async def test_many_searches_share_a_poll(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    polls = 0
    changes = ImageStore.changes

    async def counted(self: ImageStore, *since: Any) -> Any:
        nonlocal polls
        polls += 1
        return await changes(self, *since)

    monkeypatch.setattr(ImageStore, "changes", counted)
    await protect(db, "photo")
    async with index_of(db).loaded() as index:
        polls = 0
        found = await asyncio.gather(*(index.found() for _ in range(20)))
    assert found == [{"photo"}] * 20
    assert polls <= 4


async def test_the_cache_is_bounded_in_bytes(db: Database) -> None:
    descriptions = db[Collection.DESCRIPTIONS]
    await descriptions.insert_many([{"_id": f"p{n}", "packed": bytes(1000)} for n in range(10)])
    cache = DescriptionCache(ImageStore(db), 5000)
    for number in range(10):
        read = await cache.read([f"p{number}", "none"])
        assert read == {f"p{number}": bytes(1000), "none": None}
        assert cache.size_bytes <= 5000
    await descriptions.update_one({"_id": "p9"}, {"$set": {"packed": b"new"}})
    assert (await cache.read(["p9"]))["p9"] == bytes(1000)
    cache.forget(["p9", "unheard"])
    assert (await cache.read(["p9"]))["p9"] == b"new"
    cache.forget([f"p{number}" for number in range(10)] + ["none"])
    assert cache.size_bytes == 0


async def test_the_lock_is_shared_or_held_alone() -> None:
    lock, inside, most, order = SharedLock(), 0, 0, list[str]()

    async def read() -> None:
        nonlocal inside, most
        async with lock.shared():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.01)
            inside -= 1

    async def write() -> None:
        async with lock.alone():
            assert inside == 0
            await asyncio.sleep(0.01)
            assert inside == 0
            order.append("written")

    async def read_late() -> None:
        await read()
        order.append("read")

    await asyncio.gather(read(), read(), read(), write(), read_late(), write())
    assert most >= 3
    assert order[0] == "written"
