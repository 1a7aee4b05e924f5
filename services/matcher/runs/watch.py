"""Launching the runs that wait, and watching each until it has ended."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from services.matcher.runs.launchers import (
    Condition,
    Launcher,
    LauncherUnavailableError,
    LaunchRefusedError,
    Seen,
)
from services.matcher.runs.settings import WatchSettings
from services.matcher.runs.store import CLAIMS, RunStore
from services.matcher.runs.watchdog import Patience, Step, judge, retry_delay
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import Collection
from srpitp_contracts.runs import MAX_ERROR, Run, RunState
from srpitp_servicekit.background import Loop
from srpitp_servicekit.mongo import Database, Document
from srpitp_servicekit.queue import DueQueue

logger = logging.getLogger(__name__)


class RunWatch:
    """Takes up runs under a lease: one that another matcher left behind is adopted with its job.

    Parameters
    ----------
    db
        Where the runs wait.
    store
        Reads and writes them.
    launcher
        Runs their jobs.
    settings
        How many at once, and how long a job may be silent.
    """

    def __init__(
        self, db: Database, store: RunStore, launcher: Launcher, settings: WatchSettings
    ) -> None:
        self._store = store
        self._launcher = launcher
        self._settings = settings
        self._patience = Patience.of(settings)
        lease = timedelta(seconds=settings.run_lease_seconds)
        mine = {"launcher": str(launcher.name)}
        self._queue = DueQueue(db[Collection.RUNS], lease=lease, only=mine, counter=CLAIMS)
        self._loop = Loop("runs", self._take_one, workers=settings.runs_at_once)

    def wake(self) -> None:
        """Look for due runs now."""
        self._loop.wake()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Launch and watch for as long as the block lasts."""
        async with self._launcher.running(), self._loop.running():
            yield

    async def _take_one(self) -> bool:
        claim = await self._queue.claim()
        if claim is None:
            return False
        try:
            async with self._queue.holding(claim):
                await self._follow(claim)
        except asyncio.CancelledError:
            await self._let_go(claim)
            raise
        return True

    async def _follow(self, claim: Document) -> None:
        watched_since = utc_now()
        while (run := await self._store.held(claim)) is not None:
            if run.state is RunState.WAITING:
                await self._store.begin(claim, utc_now())
                continue
            seen = await self._seen(claim, run)
            run = await self._store.held(claim)
            if run is None:
                break
            verdict = judge(run, seen, utc_now(), self._patience, watched_since)
            if await self._do(verdict.step, verdict.reason, claim, run, seen):
                return
            await asyncio.sleep(self._settings.run_poll_seconds)
        logger.warning("run %s: its lease was lost", claim["_id"])

    async def _seen(self, claim: Document, run: Run) -> Seen:
        try:
            if run.state is RunState.SUBMITTED and run.place is None:
                await self._store.placed(claim, run, await self._launcher.launch(run))
            return await self._launcher.look(run)
        except LaunchRefusedError as error:
            return Seen(Condition.REFUSED, str(error))
        except LauncherUnavailableError as error:
            logger.warning("run %s cannot be seen for the moment: %s", run.id, error)
            return Seen(Condition.UNKNOWN, str(error))

    async def _do(self, step: Step, reason: str, claim: Document, run: Run, seen: Seen) -> bool:
        """Do what comes next; return whether the run is off our hands."""
        if step is Step.WAIT:
            return False
        if step is not Step.CLOSE and not await self._stopped(run, seen):
            return False
        if step in {Step.GIVE_UP, Step.FAIL}:
            return await self._fail(step, reason, claim, run)
        logger.info("run %s: %s", run.id, run.state)
        await self._store.close(claim)
        return True

    async def _stopped(self, run: Run, seen: Seen) -> bool:
        if seen.condition in {Condition.SUCCEEDED, Condition.FAILED, Condition.REFUSED}:
            return True  # nothing runs, and its log may still be wanted
        try:
            await self._launcher.stop(run)
        except LauncherUnavailableError as error:
            logger.warning("run %s cannot be stopped for the moment: %s", run.id, error)
            return False
        return True

    async def _fail(self, step: Step, reason: str, claim: Document, run: Run) -> bool:
        error, failures = reason[:MAX_ERROR], run.failures + 1
        logger.warning("run %s, attempt %d: %s", run.id, run.attempts, error)
        if step is Step.FAIL or failures >= self._settings.run_max_attempts:
            return await self._store.fail(claim, run, error, utc_now())
        delay = retry_delay(failures, timedelta(seconds=self._settings.run_retry_seconds))
        return await self._store.try_again(claim, run, error, utc_now() + delay)

    async def _let_go(self, claim: Document) -> None:
        """Leave a run to whoever is next: with its job, or without it if that ends with us."""
        run = await self._store.held(claim)
        if run is None:
            return
        if run.state in {RunState.SUBMITTED, RunState.RUNNING} and not self._launcher.outlives_us:
            await self._launcher.stop(run)
            if await self._store.put_back(claim, run, utc_now()):
                return
        await self._store.release(claim, utc_now())
