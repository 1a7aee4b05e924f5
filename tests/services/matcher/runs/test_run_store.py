"""Who may write what of a run: the claim, the attempt and the state are named by each write."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.matcher.runs.service import RunService, latest_time
from services.matcher.runs.store import CLAIMS, RUN_INDEXES, RunStore
from srpitp_contracts.identifiers import random_id
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import Collection
from srpitp_contracts.runs import (
    LauncherName,
    Run,
    RunCounts,
    RunKind,
    RunReason,
    RunRequest,
    RunState,
    begun,
    finished,
    new_run,
    of_attempt,
)
from srpitp_servicekit.mongo import Database, Document, ensure_indexes
from srpitp_servicekit.queue import DueQueue
from tests.services.matcher.runs.watching import quick_settings


@pytest.fixture
async def store(db: Database) -> RunStore:
    await ensure_indexes(db, RUN_INDEXES)
    return RunStore(db)


def run(reason: RunReason = RunReason.REQUEST) -> Run:
    request = RunRequest(kind=RunKind.MATCH)
    return new_run(random_id(), request, reason, LauncherName.LOCAL, utc_now())


async def claim(db: Database) -> Document:
    queue = DueQueue(db[Collection.RUNS], lease=timedelta(seconds=30), counter=CLAIMS)
    claimed = await queue.claim()
    assert claimed is not None
    return claimed


async def submitted(db: Database, store: RunStore) -> tuple[Document, Run]:
    await store.add(run())
    claimed = await claim(db)
    await store.begin(claimed, utc_now())
    held = await store.held(claimed)
    assert held is not None
    assert (held.state, held.attempts) == (RunState.SUBMITTED, 1)
    return claimed, held


async def say(db: Database, of: Run, update: dict[str, Any]) -> bool:
    written = await db[Collection.RUNS].update_one(of_attempt(of.id, of.attempts), update)
    return written.matched_count == 1


async def test_an_attempt_that_was_given_up_says_nothing_of_the_next(
    db: Database, store: RunStore
) -> None:
    claimed, first = await submitted(db, store)
    assert await say(db, first, begun(utc_now()))
    assert await store.try_again(claimed, first, "it hung", utc_now())
    assert not await say(db, first, finished(utc_now(), RunCounts()))
    again = await claim(db)
    await store.begin(again, utc_now())
    second = await store.held(again)
    assert second is not None
    assert (second.attempts, second.failures, second.error) == (2, 1, "it hung")
    assert not await say(db, first, finished(utc_now(), RunCounts()))
    assert await say(db, second, finished(utc_now(), RunCounts(images=1)))


async def test_a_run_that_finished_or_was_cancelled_is_not_tried_again(
    db: Database, store: RunStore
) -> None:
    claimed, first = await submitted(db, store)
    assert await say(db, first, finished(utc_now(), RunCounts()))
    assert not await store.try_again(claimed, first, "it hung", utc_now())
    assert not await store.cancel(first.id, utc_now())
    await store.close(claimed)
    claimed, second = await submitted(db, store)
    assert await store.cancel(second.id, utc_now())
    assert not await store.fail(claimed, second, "it hung", utc_now())
    assert not await store.put_back(claimed, second, utc_now())
    assert not await say(db, second, finished(utc_now(), RunCounts()))


async def test_whoever_lost_the_lease_writes_nothing(db: Database, store: RunStore) -> None:
    claimed, first = await submitted(db, store)
    await db[Collection.RUNS].update_one({"_id": first.id}, {"$set": {"lease": "another's"}})
    assert await store.held(claimed) is None
    assert not await store.try_again(claimed, first, "it hung", utc_now())
    await store.close(claimed)
    document = await db[Collection.RUNS].find_one({"_id": first.id})
    assert document is not None
    assert document["due_at"] is not None


async def test_a_run_of_our_own_is_alone_until_it_is_closed(db: Database, store: RunStore) -> None:
    first = run(RunReason.HANDOVER)
    assert await store.add(first) == first
    assert await store.add(run(RunReason.HANDOVER)) is None
    assert await store.add(run(RunReason.SCHEDULE)) is not None
    assert await store.alone(RunReason.HANDOVER) == first
    await store.cancel(first.id, utc_now())
    assert await store.add(run(RunReason.HANDOVER)) is None
    await store.close(await claim(db))
    await store.close(await claim(db))
    assert await store.add(run(RunReason.HANDOVER)) is not None


async def test_a_sweep_is_added_once_for_its_time(store: RunStore) -> None:
    woken: list[None] = []
    settings = quick_settings(sweep_every_hours=24)
    services = [RunService(store, settings, lambda: woken.append(None)) for _ in range(2)]
    tomorrow = utc_now() + timedelta(days=1)
    assert [await service.sweep_if_due(tomorrow) for service in services] == [True, False]
    assert woken
    sweep = await store.alone(RunReason.SCHEDULE)
    assert sweep is not None
    assert sweep.all_tags


async def test_no_sweep_is_made_up_for(store: RunStore) -> None:
    without = RunService(store, quick_settings(), lambda: None)
    assert not await without.sweep_if_due(utc_now() + timedelta(days=1))
    daily = RunService(store, quick_settings(sweep_every_hours=24), lambda: None)
    assert not await daily.sweep_if_due()  # it was due before anybody was here


def test_times_are_counted_from_an_hour() -> None:
    now = datetime(2026, 3, 4, 1, 30, tzinfo=UTC)
    day = timedelta(days=1)
    assert latest_time(now, day, 2) == datetime(2026, 3, 3, 2, tzinfo=UTC)
    assert latest_time(now + timedelta(hours=1), day, 2) == datetime(2026, 3, 4, 2, tzinfo=UTC)
    assert latest_time(now, timedelta(hours=6), 1) == datetime(2026, 3, 4, 1, tzinfo=UTC)
