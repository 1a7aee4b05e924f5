"""Jobs as SparkApplications of the Spark operator (``sparkoperator.k8s.io/v1beta2``)."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from threading import Thread
from types import MappingProxyType

from services.matcher.runs.launchers import Condition, Seen
from services.matcher.runs.launchers.applications import Applications, Status
from services.matcher.runs.launchers.manifest import application_name, driver_pod, manifest
from services.matcher.runs.settings import RunSettings
from srpitp_contracts.runs import LauncherName, Place, Run

CONDITIONS: Mapping[str, Condition] = MappingProxyType(
    {
        "": Condition.PENDING,  # the operator has not looked at it yet
        "NEW": Condition.PENDING,
        "PENDING_SUBMISSION": Condition.PENDING,
        "SUBMITTED": Condition.PENDING,
        "PENDING_RERUN": Condition.PENDING,
        "INVALIDATING": Condition.PENDING,
        "SUSPENDING": Condition.PENDING,
        "SUSPENDED": Condition.PENDING,
        "RESUMING": Condition.PENDING,
        "RUNNING": Condition.RUNNING,
        "SUCCEEDING": Condition.RUNNING,
        "COMPLETED": Condition.SUCCEEDED,
        "FAILING": Condition.RUNNING,  # the operator has not decided yet; FAILED follows
        "FAILED": Condition.FAILED,
        "SUBMISSION_FAILED": Condition.FAILED,
        "UNKNOWN": Condition.UNKNOWN,
    }
)
"""Every state of the operator; one that a later version adds is unknown."""


class SparkOperatorLauncher:
    """One SparkApplication for each attempt, under a name that follows from the run.

    Parameters
    ----------
    settings
        Where the API server is, and what the applications are made of.
    """

    name = LauncherName.KUBERNETES
    outlives_us = True

    def __init__(self, settings: RunSettings) -> None:
        self._settings = settings
        self._applications = Applications(settings)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Watch the applications for as long as the block lasts; they go on without us."""
        thread = Thread(target=self._applications.follow, name="sparkapplications", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._applications.end()
            await asyncio.to_thread(thread.join, self._settings.kubernetes_timeout_seconds)

    async def launch(self, run: Run) -> Place:
        """Create the application; that it exists is as good."""
        await asyncio.to_thread(self._applications.create, manifest(run, self._settings))
        name, namespace = application_name(run), self._settings.spark_namespace
        log = self._settings.spark_log.format(
            namespace=namespace, application=name, pod=driver_pod(name)
        )
        return Place(within=namespace, name=name, log=log)

    async def look(self, run: Run) -> Seen:
        """Translate what the operator says."""
        name = application_name(run)
        status = await asyncio.to_thread(self._applications.status, name)
        if status is None:
            return Seen(Condition.GONE, f"the SparkApplication {name} vanished")
        return seen(status)

    async def stop(self, run: Run) -> None:
        """Delete the application, with its driver and executors."""
        await asyncio.to_thread(self._applications.delete, application_name(run))


def seen(status: Status) -> Seen:
    """Return what an application's status comes to."""
    condition = CONDITIONS.get(status.state, Condition.UNKNOWN)
    said = f"{status.state or 'NEW'}: {status.message}" if status.message else status.state
    return Seen(condition, said)
