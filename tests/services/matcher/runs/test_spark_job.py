"""The real job, launched by the matcher and killed in the middle: all is found and told of once."""

import os
import signal

import httpx
import pytest

from services.matcher.main import create_app
from services.matcher.runs.launchers.local import LocalLauncher
from spark.settings import Settings as JobSettings
from spark.store import Address, open_store
from srpitp_contracts.names import Collection
from srpitp_contracts.runs import RunState
from srpitp_servicekit.mongo import Database
from srpitp_servicekit.spark import why_no_spark
from tests.deadlines import eventually
from tests.keys import ADMIN_KEY, bearer
from tests.services.matcher.runs.conftest import Runs
from tests.services.matcher.runs.watching import quick_settings
from tests.services.matcher.world import Neighbours
from tests.serving import Running
from tests.spark.pictures import World, described

_SECONDS = 240  # Spark takes ten to start, on a machine that has nothing else to do
COPIES = 4


def fill() -> None:
    with open_store(Address.of(JobSettings())) as store:
        world = World(store)
        for seed in range(2 * COPIES):
            world.protect(f"p{seed}", described(seed))
        for seed in range(COPIES):
            world.detect(f"d{seed}", described(seed, detected=True))


@pytest.mark.skipif(why_no_spark() is not None, reason=why_no_spark() or "")
async def test_a_job_that_is_killed_is_launched_again_and_all_is_told_of_once(
    db: Database, running: Running
) -> None:
    fill()
    neighbours = Neighbours()
    async with running(neighbours.app()) as url:
        settings = quick_settings(
            crawler_url=url,
            notification_url=url,
            spark_master="local[1]",
            run_start_seconds=_SECONDS,
            run_heartbeat_seconds=_SECONDS,
        )
        async with (
            running(create_app(settings, LocalLauncher(settings))) as matcher,
            httpx.AsyncClient(base_url=matcher, headers=bearer(ADMIN_KEY), timeout=30) as http,
        ):
            runs = Runs(http, db, settings)
            run = await runs.start()
            begun = await runs.until(run.id, RunState.RUNNING, seconds=_SECONDS)
            assert begun.place is not None
            os.kill(int(begun.place.name), signal.SIGKILL)
            done = await runs.until(run.id, RunState.FINISHED, RunState.FAILED, seconds=_SECONDS)
            assert (done.state, done.attempts, done.error) == (RunState.FINISHED, 2, None)
            assert (done.counts.images, done.counts.matches) == (COPIES, COPIES)

            async def all_are_told() -> bool:
                untold = {"untold": True}
                return not await db[Collection.MATCHES].count_documents(untold) and not (
                    await db[Collection.OUTBOX].count_documents({"sent_at": None})
                )

            await eventually(all_are_told)
            alerted = sorted(alert["match"]["id"] for alert in neighbours.alerts)
            matches = [one["_id"] async for one in db[Collection.MATCHES].find({})]
            assert alerted == sorted(matches)
            assert len(matches) == COPIES
