"""Wiring of runs: the launcher that the settings name, and the loops around it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import assert_never

from services.matcher.launchers import Launcher
from services.matcher.launchers.local import LocalLauncher
from services.matcher.run_settings import RunSettings
from services.matcher.run_store import RunStore
from services.matcher.run_watch import RunWatch
from services.matcher.runs import RunService
from srpitp_contracts.runs import LauncherName
from srpitp_servicekit.background import Loop
from srpitp_servicekit.mongo import Database

_SCHEDULE_SECONDS = 10


def launcher_of(settings: RunSettings) -> Launcher:
    """Return the launcher that the settings name."""
    match settings.run_launcher:
        case LauncherName.LOCAL:
            return LocalLauncher(settings)
        case LauncherName.KUBERNETES:
            # Here, since its client takes a second to import and is not needed elsewhere.
            from services.matcher.launchers.spark_operator import SparkOperatorLauncher

            return SparkOperatorLauncher(settings)
    assert_never(settings.run_launcher)


@asynccontextmanager
async def running_runs(
    db: Database, settings: RunSettings, launcher: Launcher
) -> AsyncIterator[RunService]:
    """Launch and watch runs for as long as the block lasts."""
    store = RunStore(db)
    watch = RunWatch(db, store, launcher, settings)
    runs = RunService(store, settings, watch.wake)
    schedule = Loop("sweeps", runs.sweep_if_due, interval_seconds=_SCHEDULE_SECONDS)
    async with watch.running(), schedule.running():
        yield runs
