"""A matcher's watch over runs, in a process of its own that can be killed.

``python -m tests.services.matcher.runs.watching BEHAVIOUR``
"""

import asyncio
import sys
from collections.abc import Callable

from services.matcher.runs.launchers.local import LocalLauncher
from services.matcher.runs.launching import RunParts
from services.matcher.settings import Settings
from services.matcher.store import INDEXES
from srpitp_contracts.names import ServiceName
from srpitp_contracts.runs import RunKind
from srpitp_servicekit.mongo import open_database


def quick_settings(**changes: object) -> Settings:
    """Return settings by which everything happens within a second or two."""
    quick = {
        "run_poll_seconds": 0.05,
        "run_retry_seconds": 0.05,
        "run_lease_seconds": 1.5,
        "run_start_seconds": 20,
        "run_heartbeat_seconds": 20,
        "handover_check_seconds": 0.05,
    }
    return Settings.model_validate({**Settings().model_dump(), **quick, **changes})


def launcher_of(
    settings: Settings, behaviour: str, missing: Callable[[], str | None] = lambda: None
) -> LocalLauncher:
    """Return a launcher whose jobs behave in a certain way."""
    command = (sys.executable, "-m", "tests.services.matcher.runs.child", behaviour)
    return LocalLauncher(settings, dict.fromkeys(RunKind, command), missing)


async def main(behaviour: str) -> None:
    settings = quick_settings()
    async with (
        open_database(settings, INDEXES, service=ServiceName.MATCHER) as db,
        RunParts(db, settings, launcher_of(settings, behaviour)).running(),
    ):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
