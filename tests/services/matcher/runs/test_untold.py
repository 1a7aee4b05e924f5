"""Matches that a job added are told of once, as if the matcher had found them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from services.matcher.noting import Noting
from services.matcher.store import INDEXES, MatcherStore
from services.matcher.suppression.rules import Suppression
from services.matcher.suppression.store import SuppressionStore
from services.matcher.untold import Untold
from srpitp_contracts.matching import Match
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import Collection, ServiceName
from srpitp_servicekit.mongo import Database, ensure_indexes, to_document
from srpitp_servicekit.outbox import Outbox
from srpitp_servicekit.peers import open_peers
from tests.deadlines import eventually
from tests.services.matcher.matches import found
from tests.services.matcher.runs.watching import quick_settings
from tests.services.matcher.world import World


async def add_as_a_job(db: Database, match: Match) -> None:
    document = to_document(match) | {"untold": True}
    key = {"owner_id": document.pop("owner_id"), "_id": document.pop("_id")}
    await db[Collection.MATCHES].update_one(key, {"$setOnInsert": document}, upsert=True)


async def untold(db: Database) -> int:
    return await db[Collection.MATCHES].count_documents({"untold": True})


async def test_what_a_job_found_is_told_of_once(world: World) -> None:
    sure, similar = (
        found("photo-1", sure=True, at=utc_now()),
        found("photo-2", sure=False, at=utc_now()),
    )

    async def all_are_told() -> bool:
        return await untold(world.db) == 0

    for _ in range(2):  # the job is run again
        await add_as_a_job(world.db, sure)
        await add_as_a_job(world.db, similar)
        await eventually(all_are_told)
    await world.settled()
    [alert] = world.neighbours.alerts
    assert alert["match"]["id"] == sure.id
    assert world.neighbours.told["detected/copy/retained"] == [{"tag": "people"}]
    assert (await world.match(similar.id))["state"] == "in_review"


@pytest.fixture
async def telling(db: Database) -> AsyncIterator[Untold]:
    await ensure_indexes(db, INDEXES)
    settings = quick_settings()
    async with open_peers(settings) as peers:
        store = MatcherStore(db)
        suppressing = SuppressionStore(db, profile="robust", lease=timedelta(seconds=30))
        noting = Noting(store, Suppression(suppressing), Outbox(db, ServiceName.MATCHER, peers))
        yield Untold(store, noting)


async def test_two_matchers_tell_of_each_once(db: Database, telling: Untold) -> None:
    for number in range(10):
        await add_as_a_job(db, found(f"photo-{number}", sure=True, at=utc_now()))
    await asyncio.gather(telling.tell(), telling.tell())
    assert await untold(db) == 0
    assert await db[Collection.OUTBOX].count_documents({"subject": "alert"}) == 10


async def test_a_match_that_cannot_be_told_of_does_not_hold_up_the_others(
    db: Database, telling: Untold, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle = Noting.settle

    async def settle_all_but_one(self: Noting, session: Any, match: Match) -> Match:
        if match.protected_id == "photo-0":
            raise ValueError("it cannot be")
        return await settle(self, session, match)

    for number in range(3):
        await add_as_a_job(db, found(f"photo-{number}", sure=True, at=utc_now()))
    with monkeypatch.context() as patch:
        patch.setattr(Noting, "settle", settle_all_but_one)
        assert await telling.tell()
        assert not await telling.tell()
    assert await untold(db) == 1
    assert await telling.tell()
    assert await db[Collection.OUTBOX].count_documents({"subject": "alert"}) == 3
