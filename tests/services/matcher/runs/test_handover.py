"""Handing over to a run: when, what is answered meanwhile and afterwards; nothing is lost."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.matcher.main import create_app
from services.matcher.runs.handover import Handover, was_there
from services.matcher.runs.handover_store import HandoverStore, Waiting
from services.matcher.runs.store import RUN_INDEXES, RunStore
from srpitp_contracts.identifiers import random_id
from srpitp_contracts.matching import DetectedEvent, ProtectedEvent
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import UNTAGGED, Collection, ServiceName
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
from srpitp_servicekit.mongo import Database, Session, ensure_indexes, transaction
from srpitp_servicekit.outbox import OUTBOX_INDEXES, Outbox
from srpitp_servicekit.peers import open_peers
from tests.deadlines import eventually
from tests.keys import SERVICE_KEY, bearer
from tests.services.matcher.runs.watching import launcher_of, quick_settings
from tests.services.matcher.world import ORIGINAL, World, a_world
from tests.serving import Running

LONG_AGO = utc_now() - timedelta(days=1)


@pytest.fixture
async def runs(db: Database) -> RunStore:
    await ensure_indexes(db, {**RUN_INDEXES, **OUTBOX_INDEXES})
    return RunStore(db)


def handover_of(db: Database, runs: RunStore, **changes: Any) -> Handover:
    return Handover(runs, HandoverStore(db), quick_settings(**changes), lambda: None)


async def leave_untold(db: Database, number: int, not_before: datetime | None = None) -> None:
    """Let images wait to be told of to the matcher."""

    async def work(session: Session) -> None:
        for _ in range(number):
            id_ = random_id()
            await outbox.add(
                session,
                to=ServiceName.MATCHER,
                subject="protected",
                key=id_,
                path=f"/v1/protected/{id_}",
                body=ProtectedEvent(tag=UNTAGGED),
                not_before=not_before,
            )

    async with open_peers(quick_settings()) as peers:
        outbox = Outbox(db, ServiceName.REGISTRATION, peers)
        await transaction(db, work)


async def handed_over(db: Database, runs: RunStore) -> Run:
    """Let more wait than the matcher should do."""
    await db[Collection.DETECTED].insert_many(
        [{"_id": random_id(), "tag": UNTAGGED} for _ in range(3)]
    )
    await leave_untold(db, 2)
    assert await handover_of(db, runs, handover_pairs=5).hand_over_if_due()
    run = await runs.alone(RunReason.HANDOVER)
    assert run is not None
    return run


async def end(db: Database, run: Run, state: RunState) -> None:
    fields = {"state": state, "finished_at": utc_now(), "alone": None}
    await db[Collection.RUNS].update_one({"_id": run.id}, {"$set": fields})


async def test_a_run_is_started_when_too_many_pairs_wait(db: Database, runs: RunStore) -> None:
    run = await handed_over(db, runs)
    assert (run.reason, run.tags, run.since, run.all_tags) == ("handover", [], None, False)
    assert not await handover_of(db, runs, handover_pairs=5).hand_over_if_due()


@pytest.mark.parametrize("limit", [6, None])
async def test_what_the_matcher_can_do_stays_with_it(
    db: Database, runs: RunStore, limit: int | None
) -> None:
    await db[Collection.DETECTED].insert_many(
        [{"_id": random_id(), "tag": UNTAGGED} for _ in range(3)]
    )
    await leave_untold(db, 2)
    # One whose protection begins next week is not waiting.
    await leave_untold(db, 5, utc_now() + timedelta(days=7))
    assert not await handover_of(db, runs, handover_pairs=limit).hand_over_if_due()


@pytest.mark.parametrize("state", [RunState.FAILED, RunState.CANCELLED])
async def test_after_a_run_that_failed_the_matcher_does_it_for_a_while(
    db: Database, runs: RunStore, state: RunState
) -> None:
    await end(db, await handed_over(db, runs), state)
    assert not await handover_of(db, runs, handover_pairs=5).hand_over_if_due()
    later = handover_of(db, runs, handover_pairs=5, handover_pause_seconds=0)
    assert await later.hand_over_if_due()


def test_pairs_are_counted_for_both_sides() -> None:
    assert Waiting(detected=2, protected=3, all_detected=5, all_protected=7).pairs == 29


def test_an_image_was_there_if_clocks_can_be_trusted_that_far() -> None:
    now = utc_now()
    request = RunRequest(kind=RunKind.MATCH)
    unbegun = new_run("r", request, RunReason.HANDOVER, LauncherName.LOCAL, now)
    run = unbegun.model_copy(update={"started_at": now})
    assert was_there(now - timedelta(minutes=3), run)
    assert not was_there(now - timedelta(minutes=1), run)
    assert not was_there(now - timedelta(minutes=3), unbegun)


@pytest.fixture
async def world(
    db: Database, running: Running, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    """A matcher that hands over as soon as anything waits, to jobs that take their time."""

    def handing_over() -> FastAPI:
        settings = quick_settings(handover_pairs=0)
        return create_app(settings, launcher_of(settings, "long"))

    async with a_world(db, running, monkeypatch, handing_over) as world:
        yield world


async def tell(world: World, kind: str, id_: str) -> httpx.Response:
    event = {"detected": DetectedEvent, "protected": ProtectedEvent}[kind](tag=UNTAGGED)
    return await world.http.put(
        f"/v1/{kind}/{id_}", json=event.model_dump(), headers=bearer(SERVICE_KEY)
    )


async def run_of(world: World) -> Run:
    async def is_running() -> bool:
        run = await RunStore(world.db).alone(RunReason.HANDOVER)
        return run is not None and run.state is RunState.RUNNING

    await eventually(is_running)
    run = await RunStore(world.db).alone(RunReason.HANDOVER)
    assert run is not None
    return run


async def nothing_waits(world: World) -> None:
    """Let all be told of, so that no other run is started."""
    outbox = world.db[Collection.OUTBOX]
    async for message in outbox.find({"to": ServiceName.MATCHER}):
        await outbox.update_one({"_id": message["_id"]}, {"$set": {"due_at": None}})


async def test_what_a_run_does_is_told_of_later_and_never_lost(world: World) -> None:
    stored: dict[str, Any] = {"first_seen": LONG_AGO, "state": "waiting"}
    early = await world.detect("early", ORIGINAL, **stored)
    photo = await world.protect("photo", ORIGINAL, updated_at=LONG_AGO)
    await leave_untold(world.db, 1)
    run = await run_of(world)
    await nothing_waits(world)

    for kind, id_ in (("detected", early), ("protected", photo)):
        answer = await tell(world, kind, id_)
        assert (answer.status_code, answer.json()["code"]) == (503, "handed_over")
        assert run.id in answer.json()["detail"]
        assert int(answer.headers["Retry-After"]) >= 60

    # What is stored while the run goes on is compared at once; and so is what is told of anew
    # because it is part of a match.
    fresh = await world.detect("fresh", ORIGINAL, first_seen=utc_now(), state="waiting")
    assert len((await tell(world, "detected", fresh)).json()["matches"]) == 1
    matched = await world.detect("matched", ORIGINAL, first_seen=LONG_AGO, state="matched")
    assert len((await tell(world, "detected", matched)).json()["matches"]) == 1

    # The run fails: the images are compared here after all.
    await world.http.delete(f"/v1/runs/{run.id}")

    async def is_compared() -> bool:
        return (await tell(world, "detected", early)).is_success

    await eventually(is_compared)
    assert len((await tell(world, "detected", early)).json()["matches"]) == 1
    assert len((await tell(world, "protected", photo)).json()["matches"]) == 3


async def test_what_a_run_has_done_is_answered_for_from_the_store(world: World) -> None:
    stored: dict[str, Any] = {"first_seen": LONG_AGO}
    early = await world.detect("early", ORIGINAL, **stored, state="searched")
    missed = await world.detect("missed", ORIGINAL, **stored, state="waiting")
    photo = await world.protect("photo", ORIGINAL, updated_at=LONG_AGO)
    await leave_untold(world.db, 1)
    run = await run_of(world)
    await nothing_waits(world)
    for update in (begun(utc_now()), finished(utc_now(), RunCounts())):
        await world.db[Collection.RUNS].update_one(of_attempt(run.id, run.attempts), update)

    async def is_answered() -> bool:
        return (await tell(world, "protected", photo)).is_success

    await eventually(is_answered)
    assert (await tell(world, "protected", photo)).json() == {"compared": 0, "matches": []}
    assert (await tell(world, "detected", early)).json() == {"compared": 0, "matches": []}
    # The job could not do it, or did not see it: it is compared here.
    assert len((await tell(world, "detected", missed)).json()["matches"]) == 1
    assert len((await tell(world, "protected", photo)).json()["matches"]) == 1
