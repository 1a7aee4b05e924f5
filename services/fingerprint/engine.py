"""The worker processes, and the images that wait for them.

The process pools of the libraries share pipes and locks among their workers: when one of these is
killed, even an idle one, the pool is broken. And they pickle, which trusts what a worker says.
"""

import asyncio
import contextlib
import hashlib
import logging
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from services.fingerprint.settings import Settings
from services.fingerprint.tasks import Task
from srpitp_contracts.problems import ProblemCode
from srpitp_servicekit.decoding import child
from srpitp_servicekit.decoding.answers import LONGEST_ANSWER, WrongAnswerError, parsed
from srpitp_servicekit.problems import ImageRefusedError, UnavailableError
from srpitp_servicekit.uploads import UploadFile

logger = logging.getLogger(__name__)

T = TypeVar("T")

_CHUNK_BYTES = 2**20


class WorkerDiedError(Exception):
    """A worker ended before it answered."""


class Engine:
    """Has images decoded, as many at a time as there are workers.

    Each worker has pipes of its own and nothing shared, so the death of one, at any moment,
    concerns the one image that it holds.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._arguments = child.arguments(settings)
        self._idle: list[Process] = []
        self._free = asyncio.Semaphore(settings.fingerprint_workers)
        self._taken = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Have the workers ready for as long as the block lasts."""
        count = self._settings.fingerprint_workers
        self._idle = list(await asyncio.gather(*(self._start() for _ in range(count))))
        try:
            yield
        finally:
            for process in self._idle:
                await _end(process)

    def refuse_when_full(self) -> None:
        """Raise `UnavailableError` when as many images wait as may wait."""
        settings = self._settings
        if self._taken >= settings.fingerprint_workers + settings.fingerprint_queue_limit:
            raise UnavailableError(
                "Too many images wait to be fingerprinted.", retry_after_seconds=2
            )

    async def do(self, task: Task[T]) -> T:
        """Return what a worker makes of images.

        Raises
        ------
        ImageRefusedError
            When one cannot be read, or not in time.
        UnavailableError
            When too many wait already.
        """
        self.refuse_when_full()
        self._taken += 1
        try:
            async with self._free:
                return await self._try(task)
        finally:
            self._taken -= 1

    async def _try(self, task: Task[T]) -> T:
        for _ in range(child.TRIES):
            try:
                async with self._worker() as worker:
                    return task.read(*await _ask(worker, task))
            except WorkerDiedError:
                logger.warning("a worker died with %d bytes", task.size)
            except WrongAnswerError as error:
                logger.warning(
                    "a worker was ended for what it said of %d bytes: %s", task.size, error
                )
            except TimeoutError as error:
                raise ImageRefusedError(
                    ProblemCode.IMAGE_TOO_SLOW,
                    "Reading the image took longer than "
                    f"{self._settings.fingerprint_time_limit_seconds:g} s; send it scaled down, "
                    "or saved as JPEG or PNG.",
                ) from error
        raise ImageRefusedError(
            ProblemCode.IMAGE_BROKEN, "The image makes its decoder crash; save it anew."
        )

    @asynccontextmanager
    async def _worker(self) -> AsyncIterator[Process]:
        """Lend a worker; one that did not end its work in time, or at all, is not used again."""
        process = await self._take()
        finished = False
        try:
            async with asyncio.timeout(self._settings.fingerprint_time_limit_seconds):
                yield process
            finished = True
        except ImageRefusedError:  # an answer as good as another
            finished = True
            raise
        finally:
            if finished:
                self._idle.append(process)
            else:
                await _end(process)

    async def _take(self) -> Process:
        while self._idle:
            process = self._idle.pop()
            if process.returncode is None:
                return process
            await _end(process)
        return await self._start()

    async def _start(self) -> Process:
        process = await asyncio.create_subprocess_exec(
            *child.command(self._arguments),
            stdin=PIPE,
            stdout=PIPE,
            limit=LONGEST_ANSWER,
            env=child.environment(),
        )
        try:
            async with asyncio.timeout(child.START_SECONDS):
                await _read(process)
        except BaseException as error:
            await _end(process)
            if isinstance(error, WorkerDiedError | TimeoutError):
                raise UnavailableError("No worker could be started; our log says why.") from error
            raise
        return process


async def _ask(process: Process, task: Task[Any]) -> tuple[Any, list[str]]:
    """Return what a worker says, and the digests of the files that it was sent."""
    assert process.stdin  # noqa: S101  (a pipe was asked for)
    order = child.line_of(task.order, [file.size or 0 for file in task.files])
    try:
        process.stdin.write(order)
        digests = [await _send(process.stdin, file) for file in task.files]
    except ConnectionError as error:
        raise WorkerDiedError from error
    return await _read(process), digests


async def _send(stream: asyncio.StreamWriter, file: UploadFile) -> str:
    """Send a file, and return the digest of what was sent."""
    await file.seek(0)
    digest = hashlib.sha256()
    while chunk := await file.read(_CHUNK_BYTES):
        digest.update(chunk)
        stream.write(chunk)
        await stream.drain()
    return digest.hexdigest()


async def _read(process: Process) -> Any:
    assert process.stdout  # noqa: S101  (a pipe was asked for)
    try:
        line = await process.stdout.readline()
    except ValueError as error:  # the reader's own word for it
        raise WrongAnswerError(f"more than {LONGEST_ANSWER} bytes") from error
    if not line.endswith(b"\n"):
        raise WorkerDiedError
    return parsed(line)


async def _end(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()
