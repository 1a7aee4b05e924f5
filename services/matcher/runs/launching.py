"""Wiring of runs: the launcher that the settings name, and the loops around it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import assert_never

from services.matcher.runs.handover import Handover
from services.matcher.runs.handover_store import HandoverStore
from services.matcher.runs.launchers import Launcher
from services.matcher.runs.launchers.local import LocalLauncher
from services.matcher.runs.service import RunService
from services.matcher.runs.settings import RunSettings
from services.matcher.runs.store import RunStore
from services.matcher.runs.watch import RunWatch
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
            from services.matcher.runs.launchers.spark_operator import SparkOperatorLauncher

            return SparkOperatorLauncher(settings)
    assert_never(settings.run_launcher)


class RunParts:
    """All that has to do with runs, and its loops.

    Parameters
    ----------
    db
        The database.
    settings
        Of the matcher.
    launcher
        The one that the settings name, if none.
    """

    def __init__(self, db: Database, settings: RunSettings, launcher: Launcher | None) -> None:
        store = RunStore(db)
        self._watch = RunWatch(db, store, launcher or launcher_of(settings), settings)
        self.service = RunService(store, settings, self._watch.wake)
        self.handover = Handover(store, HandoverStore(db), settings, self._watch.wake)
        self._check_seconds = settings.handover_check_seconds

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Launch, watch, sweep and hand over for as long as the block lasts."""
        handover = Loop(
            "handover", self.handover.hand_over_if_due, interval_seconds=self._check_seconds
        )
        sweeps = Loop("sweeps", self.service.sweep_if_due, interval_seconds=_SCHEDULE_SECONDS)
        async with self._watch.running(), handover.running(), sweeps.running():
            yield
