"""Jobs as processes beside the matcher, with Spark in local mode."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from services.matcher.runs.launchers import Condition, LaunchRefusedError, Seen
from services.matcher.runs.launchers.environment import local_environment
from services.matcher.runs.settings import RunSettings
from srpitp_contracts.runs import LauncherName, Place, Run, RunKind, job_arguments
from srpitp_servicekit.spark import why_no_spark

SPARK_JOBS: Mapping[RunKind, Sequence[str]] = {
    RunKind.MATCH: (sys.executable, "-m", "spark.match_job"),
    RunKind.FINGERPRINT: (sys.executable, "-m", "spark.fingerprint_job"),
}
_TAIL_BYTES = 2000
_END_SECONDS = 10
_PROC = Path("/proc")
_CAN_FIND = (
    _PROC.exists()
)  # on Linux; elsewhere a job of a killed matcher is known by its heartbeat


class LocalLauncher:
    """One process for each attempt, in a session of its own, so that all of it ends together.

    A job outlives a matcher that is killed; the next one finds it by its command line.

    Parameters
    ----------
    settings
        What the jobs are told.
    jobs
        The command of each kind of run.
    missing
        Returns why no job can run here, if so.
    """

    name = LauncherName.LOCAL
    outlives_us = False

    def __init__(
        self,
        settings: RunSettings,
        jobs: Mapping[RunKind, Sequence[str]] = SPARK_JOBS,
        missing: Callable[[], str | None] = why_no_spark,
    ) -> None:
        self._settings = settings
        self._jobs = jobs
        self._missing = missing
        self._host = socket.gethostname()
        self._children: dict[tuple[str, int], Process] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Launch for as long as the block lasts; no job is left behind."""
        try:
            yield
        finally:
            for process in self._children.values():
                if process.returncode is None:
                    await _end(process.pid, process)

    async def launch(self, run: Run) -> Place:
        """Start a process, unless one is running for the same attempt."""
        if reason := self._missing():
            raise LaunchRefusedError(reason)
        log = self._log(run)
        pid = _find(run)
        if pid is None:
            process = await self._start(run, log)
            self._children[run.id, run.attempts] = process
            pid = process.pid
        return Place(within=self._host, name=str(pid), log=str(log))

    async def _start(self, run: Run, log: Path) -> Process:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            return await asyncio.create_subprocess_exec(
                *self._jobs[run.kind],
                *job_arguments(run.id, run.attempts),
                stdin=DEVNULL,
                stdout=output,
                stderr=output,
                env=local_environment(self._settings),
                start_new_session=True,
            )

    async def look(self, run: Run) -> Seen:
        """Say whether the process is there, and how it ended."""
        if process := self._children.get((run.id, run.attempts)):
            if process.returncode is not None:
                _kill(process.pid, signal.SIGKILL)  # what it may have left: its Java, its workers
            return self._seen(run, process.returncode)
        if run.place is not None and run.place.within != self._host:
            return Seen(Condition.UNKNOWN, f"it was launched on {run.place.within}")
        if not _CAN_FIND:
            return Seen(Condition.UNKNOWN)
        return Seen(Condition.RUNNING if _find(run) else Condition.GONE)

    def _seen(self, run: Run, status: int | None) -> Seen:
        if status is None:
            return Seen(Condition.RUNNING)
        if status == 0:
            return Seen(Condition.SUCCEEDED)
        said = f"its process ended with status {status}: {_tail(self._log(run))}"
        return Seen(Condition.FAILED, said)

    async def stop(self, run: Run) -> None:
        """End the process with all that it started."""
        process = self._children.get((run.id, run.attempts))
        pid = process.pid if process else self._orphan(run)
        if pid is not None and (process is None or process.returncode is None):
            await _end(pid, process)

    def _orphan(self, run: Run) -> int | None:
        is_elsewhere = run.place is not None and run.place.within != self._host
        return None if is_elsewhere else _find(run)

    def _log(self, run: Run) -> Path:
        return self._settings.data_dir.absolute() / "runs" / f"{run.id}-{run.attempts}.log"


def _find(run: Run) -> int | None:
    """Return the process that runs an attempt, whoever started it."""
    wanted = [part.encode() for part in job_arguments(run.id, run.attempts)]
    for pid in _own_sessions():
        with contextlib.suppress(OSError):  # it may end while we look
            command = (_PROC / str(pid) / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
            if command[-len(wanted) :] == wanted:
                return pid
    return None


def _own_sessions() -> Iterator[int]:
    if not _CAN_FIND:
        return
    for entry in _PROC.iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                if os.getsid(int(entry.name)) == int(entry.name):
                    yield int(entry.name)


async def _end(pid: int, process: Process | None) -> None:
    """End a process group: asked first, then by force."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        _kill(pid, number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_SECONDS):
                await _gone(pid, process)
                return


def _kill(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


async def _gone(pid: int, process: Process | None) -> None:
    if process is not None:
        await process.wait()
        return
    while _is_there(pid):  # noqa: ASYNC110  (not our child: nobody tells us of its end)
        await asyncio.sleep(0.05)


def _is_there(pid: int) -> bool:
    try:
        state = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _tail(log: Path) -> str:
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        return file.read().decode(errors="replace").strip()
    return ""
