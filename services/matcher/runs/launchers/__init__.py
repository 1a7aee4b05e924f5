"""Launching Spark jobs: one small interface, two forms.

What a launcher sees of a job is a hint only: whether a run is done is said by its document.
"""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from srpitp_contracts.runs import LauncherName, Place, Run


class Condition(StrEnum):
    """What a launcher sees of a run's latest attempt."""

    PENDING = "pending"
    """accepted, not yet at work"""
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    """ended, and nothing went wrong as far as can be seen"""
    FAILED = "failed"
    GONE = "gone"
    """there is nothing of it"""
    REFUSED = "refused"
    """never accepted, and never will be"""
    UNKNOWN = "unknown"
    """cannot be seen for the moment, or not from here"""


@dataclass(frozen=True)
class Seen:
    """A condition, and what is said of it."""

    condition: Condition
    detail: str = ""


class LaunchRefusedError(Exception):
    """A job that cannot be launched, however often it is tried; the message says why."""


class LauncherUnavailableError(Exception):
    """What launches jobs is away for the moment; the same call may succeed later."""


class Launcher(Protocol):
    """Launches the attempts of runs and looks after them.

    Every call may be repeated for the same attempt, by another process too.
    """

    name: LauncherName
    outlives_us: bool
    """whether jobs go on when the matcher ends"""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Be at work for as long as the block lasts."""

    async def launch(self, run: Run) -> Place:
        """Start the run's latest attempt, unless it is started already.

        Raises
        ------
        LaunchRefusedError
            When it is of no use to try again.
        LauncherUnavailableError
            When it is.
        """

    async def look(self, run: Run) -> Seen:
        """Return what is seen of the run's latest attempt."""

    async def stop(self, run: Run) -> None:
        """End the run's latest attempt, if it is still there.

        Raises
        ------
        LauncherUnavailableError
            When that cannot be done for the moment.
        """
