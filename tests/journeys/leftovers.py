"""Looking for processes that outlived a journey."""

import time
from pathlib import Path

_SECONDS = 15


def assert_nothing_is_left(folder: Path) -> None:
    """Fail when a process that works in ``folder`` does not end soon."""
    deadline = time.monotonic() + _SECONDS
    while left := _processes_of(folder):
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.1)


def _processes_of(folder: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            works_there = str(folder).encode() in command + (process / "environ").read_bytes()
        except OSError:  # it ended, or is not ours
            continue
        if works_there:
            found.append(f"{process.name}: {command.replace(bytes(1), b' ').decode()}")
    return found
