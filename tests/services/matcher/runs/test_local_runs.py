"""Runs as processes beside the matcher: over HTTP, with a real MongoDB and real children."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.matcher.runs.store import RunStore
from srpitp_contracts.identifiers import random_id
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import Collection
from srpitp_contracts.registration import Scope
from srpitp_contracts.runs import (
    LauncherName,
    RunCounts,
    RunKind,
    RunReason,
    RunRequest,
    RunState,
    finished,
    new_run,
    of_attempt,
)
from srpitp_servicekit.mongo import Database
from tests.deadlines import eventually
from tests.keys import add_key, bearer
from tests.services.matcher.runs.conftest import Runs, Serving
from tests.services.matcher.runs.watching import launcher_of, quick_settings

Local = Callable[..., AbstractAsyncContextManager[Runs]]
"""``local(behaviour, **settings)``: a matcher whose jobs behave in that way."""


@pytest.fixture
def local(serving: Serving) -> Local:
    @asynccontextmanager
    async def serve(behaviour: str, **changes: object) -> AsyncIterator[Runs]:
        settings = quick_settings(**changes)
        async with serving(settings, launcher_of(settings, behaviour)) as runs:
            yield runs

    return serve


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def pid_of(runs: Runs, run_id: str) -> int:
    run = await runs.until(run_id, RunState.RUNNING)
    assert run.place is not None
    return int(run.place.name)


async def test_a_run_is_launched_and_told_of(local: Local) -> None:
    async with local("well") as runs:
        request: dict[str, Any] = {"tags": ["people"], "since": "2026-01-01T00:00:00Z"}
        run = await runs.start(key="k", **request)
        assert (run.state, run.tags, run.reason) == (RunState.WAITING, ["people"], "request")
        done = await runs.until(run.id, RunState.FINISHED)
        assert (done.counts.images, done.progress.done, done.attempts) == (3, 2, 1)
        assert done.place is not None
        assert done.place.log.endswith(f"{run.id}-1.log")
        await runs.closed(run.id)
        listed = (await runs.http.get("/v1/runs", params={"state": "finished"})).json()
        assert [each["id"] for each in listed["items"]] == [run.id]
        assert (await runs.http.delete(f"/v1/runs/{run.id}")).status_code == 409

        assert (await runs.start(key="k", **request)).id == run.id
        other = await runs.http.post(
            "/v1/runs", json={"kind": "match"}, headers={"Idempotency-Key": "k"}
        )
        assert other.json()["code"] == "idempotency_key_reused"


async def test_runs_are_the_administrators(local: Local, db: Database) -> None:
    secret = await add_key(db, None, Scope.REVIEWER)
    async with local("well") as runs, httpx.AsyncClient(base_url=runs.http.base_url) as http:
        for headers, status in (({}, 401), (bearer(secret), 403)):
            answer = await http.post("/v1/runs", json={"kind": "match"}, headers=headers)
            assert answer.status_code == status
        assert (await runs.http.get("/v1/runs/none")).status_code == 404


async def test_a_run_whose_jobs_crash_fails_in_the_end(local: Local) -> None:
    async with local("crash", run_max_attempts=1) as runs:
        run = await runs.start()
        failed = await runs.until(run.id, RunState.FAILED)
        assert (failed.attempts, failed.failures) == (1, 1)
        assert "status 3: no such thing" in (failed.error or "")


async def test_a_job_that_cannot_run_here_fails_at_once(serving: Serving) -> None:
    settings = quick_settings()
    launcher = launcher_of(settings, "well", lambda: "There is no Java on this machine.")
    async with serving(settings, launcher) as runs:
        run = await runs.start()
        failed = await runs.until(run.id, RunState.FAILED)
        assert (failed.attempts, failed.error) == (1, "There is no Java on this machine.")


async def test_a_killed_job_is_launched_again(local: Local) -> None:
    async with local("first-hangs") as runs:
        run = await runs.start()
        os.kill(await pid_of(runs, run.id), signal.SIGKILL)
        done = await runs.until(run.id, RunState.FINISHED)
        assert (done.attempts, done.failures) == (2, 1)


async def test_a_job_that_hangs_is_ended_and_launched_again(local: Local) -> None:
    async with local("hang", run_heartbeat_seconds=0.5, run_max_attempts=1) as runs:
        run = await runs.start()
        pid = await pid_of(runs, run.id)
        failed = await runs.until(run.id, RunState.FAILED)
        assert "not heard of for 0.5 s" in (failed.error or "")
        assert not is_alive(pid)


async def test_a_cancelled_run_stays_cancelled_and_its_job_ends(local: Local) -> None:
    async with local("long") as runs:
        run = await runs.start()
        pid = await pid_of(runs, run.id)
        for _ in range(2):
            cancelled = await runs.http.delete(f"/v1/runs/{run.id}")
            assert cancelled.json()["state"] == "cancelled"
        await runs.closed(run.id)
        assert not is_alive(pid)
        late = await runs.db[Collection.RUNS].update_one(
            of_attempt(run.id, 1), finished(utc_now(), RunCounts())
        )
        assert late.matched_count == 0
        assert (await runs.get(run.id)).state is RunState.CANCELLED


async def test_a_job_ends_with_its_matcher_and_the_next_launches_it_again(local: Local) -> None:
    async with local("first-hangs") as runs:
        run = await runs.start()
        pid = await pid_of(runs, run.id)
    assert not is_alive(pid)
    async with local("first-hangs") as runs:
        done = await runs.until(run.id, RunState.FINISHED)
        assert (done.attempts, done.failures) == (2, 0)


async def test_a_job_outlives_a_killed_matcher_and_is_adopted(local: Local, db: Database) -> None:
    run = new_run(
        random_id(),
        RunRequest(kind=RunKind.MATCH),
        RunReason.REQUEST,
        LauncherName.LOCAL,
        utc_now(),
    )
    await RunStore(db).add(run)
    matcher = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.services.matcher.runs.watching", "a-while")
    )

    async def is_at_work() -> bool:
        found = await RunStore(db).run(run.id)
        return found is not None and found.progress.done > 0

    await eventually(is_at_work)
    matcher.kill()
    await matcher.wait()
    async with local("crash") as runs:
        pid = await pid_of(runs, run.id)
        assert is_alive(pid)
        done = await runs.until(run.id, RunState.FINISHED)
        await runs.closed(run.id)
        assert (done.attempts, done.failures) == (1, 0)
