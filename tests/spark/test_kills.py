"""Killed in the middle, driver or worker, and run again: everything is there, nothing twice."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spark import match_job
from spark.settings import Settings
from spark.store import Store
from srpitp_contracts.names import Collection
from srpitp_contracts.runs import Run, RunState, job_arguments
from srpitp_servicekit.spark import why_no_spark
from tests.deadlines import eventually
from tests.spark.pictures import World, described

COPIES = 24


@pytest.fixture
def copies(world: World) -> World:
    """Copies of six photos, one to be looked for after the other."""
    for seed in range(6):
        world.protect(f"p{seed}", described(seed))
    for number in range(COPIES):
        world.detect(f"d{number:02}", described(number % 6, "brighter", detected=True))
    return world


def run_of(store: Store, run_id: str) -> Run:
    run = store.run(run_id)
    assert run is not None
    return run


def job(environment: dict[str, str], run_id: str, attempt: int) -> subprocess.Popen[bytes]:
    """Start the job as a launcher does."""
    told = {"SRPITP_SPARK_MASTER": "local[2]", "SRPITP_SPARK_BATCH_IMAGES": "1"}
    options = {"SRPITP_SPARK_HEARTBEAT_SECONDS": "0.1", "SRPITP_SPARK_CONF": '{"spark.x": "y"}'}
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "spark.match_job", *job_arguments(run_id, attempt)],
        env={**os.environ, **environment, **told, **options},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


@pytest.mark.skipif(why_no_spark() is not None, reason=why_no_spark() or "")
async def test_a_killed_driver_is_made_up_for(
    copies: World, store: Store, environment: dict[str, str]
) -> None:
    run_id = copies.run()
    first = job(environment, run_id, 1)

    async def has_begun() -> bool:
        assert first.poll() is None, first.communicate()[1].decode()
        return bool(copies.matches()) and run_of(store, run_id).state is RunState.RUNNING

    await eventually(has_begun, seconds=240)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    assert run_of(store, run_id).state is RunState.RUNNING
    runs = store.collection(Collection.RUNS)
    runs.update_one({"_id": run_id}, {"$set": {"attempts": 2, "state": "submitted"}})
    second = job(environment, run_id, 2)
    _, errors = await asyncio.to_thread(second.communicate)
    assert second.returncode == 0, errors.decode()
    run = run_of(store, run_id)
    assert (run.state, run.counts.images, run.counts.matches) == (RunState.FINISHED, COPIES, COPIES)
    assert len(copies.matches()) == COPIES
    assert copies.states() == [("matched", False)] * COPIES
    late = job(environment, run_id, 1)
    _, errors = await asyncio.to_thread(late.communicate)
    assert late.returncode == 1
    assert b"not to go on" in errors


def workers() -> Iterator[int]:
    """Yield the Python workers of this process's Spark: what its daemons forked."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if b"spark.daemon" in command or b"java" in command:
                parents[int(entry.name)] = int(fields[1])
    ours = {pid for pid, parent in parents.items() if parent == os.getpid()}
    daemons = {pid for pid, parent in parents.items() if parent in ours}
    yield from (pid for pid, parent in parents.items() if parent in daemons)


async def test_a_killed_worker_is_made_up_for(
    spark: Any, copies: World, store: Store, settings: Settings
) -> None:
    run = run_of(store, copies.run())
    slow = settings.model_copy(update={"spark_batch_images": 1})
    matching = asyncio.create_task(asyncio.to_thread(match_job.match, spark, run, store, slow))

    async def is_under_way() -> bool:
        return bool(copies.matches()) or matching.done()

    await eventually(is_under_way, seconds=120)
    assert not matching.done()
    killed = 0
    for pid in workers():
        os.kill(pid, signal.SIGKILL)
        killed += 1
    assert killed
    outcome = await matching
    assert (outcome.counts.images, outcome.counts.matches) == (COPIES, COPIES)
    assert len(copies.matches()) == COPIES
    assert copies.states() == [("matched", False)] * COPIES
