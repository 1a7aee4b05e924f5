"""Running crawls: due sites get a crawl, and each crawl a process under a lease."""

import asyncio
import logging
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from services.crawler.service import CrawlerService
from services.crawler.settings import Settings
from services.crawler.store import CrawlerStore
from srpitp_contracts.crawling import CrawlState
from srpitp_contracts.model import utc_now
from srpitp_servicekit.background import Loop
from srpitp_servicekit.mongo import Document, PyMongoError
from srpitp_servicekit.queue import DueQueue

logger = logging.getLogger(__name__)

_MAX_ATTEMPTS = 3
_TAIL_LINES = 20
_MAX_ERROR = 2000
_SWEEP_SECONDS = 30


class CrawlRunner:
    """Runs the crawls that are due.

    Parameters
    ----------
    store
        Sites and crawls.
    queue
        The crawls, as work that waits.
    settings
        Limits and times.
    """

    def __init__(self, store: CrawlerStore, queue: DueQueue, settings: Settings) -> None:
        self._store = store
        self._queue = queue
        self._settings = settings
        self._loop = Loop("crawls", self._run_one, workers=settings.crawls_at_once)

    def wake(self) -> None:
        """Look for due crawls now."""
        self._loop.wake()

    @asynccontextmanager
    async def running(
        self, service: CrawlerService, on_image: Callable[[], None]
    ) -> AsyncIterator[None]:
        """Schedule, run and sweep for as long as the block lasts.

        Parameters
        ----------
        service
            Decides what is due.
        on_image
            Called when a crawl's process has stored an image.
        """
        self._on_image = on_image

        async def schedule() -> bool:
            if scheduled := await service.schedule_one():
                self.wake()
            return scheduled

        loops = [
            self._loop,
            Loop("schedule", schedule),
            Loop("expiry", service.forget_one, interval_seconds=_SWEEP_SECONDS),
        ]
        async with AsyncExitStack() as stack:
            for loop in loops:
                await stack.enter_async_context(loop.running())
            yield

    async def _run_one(self) -> bool:
        claimed = await self._queue.claim()
        if claimed is None:
            return False
        if claimed["attempts"] > _MAX_ATTEMPTS:
            await self._end(claimed, CrawlState.FAILED, claimed["error"] or "its process was lost")
            return True
        await self._store.start_crawl(claimed["_id"], claimed["lease"], utc_now())
        try:
            error = await self._attempt(claimed)
        except asyncio.CancelledError:
            # The service is told to end: whoever is next takes the crawl up, at once.
            fields = {"state": str(CrawlState.WAITING), "attempts": claimed["attempts"] - 1}
            await self._queue.retry(claimed, timedelta(0), fields)
            raise
        await self._conclude(claimed, error)
        return True

    async def _conclude(self, claimed: Document, error: str | None) -> None:
        if error is None:
            await self._end(claimed, CrawlState.FINISHED, None)
            return
        logger.warning("crawl %s, attempt %d: %s", claimed["_id"], claimed["attempts"], error)
        if claimed["attempts"] >= _MAX_ATTEMPTS:
            await self._end(claimed, CrawlState.FAILED, error)
            return
        delay = timedelta(seconds=self._settings.crawl_retry_seconds)
        fields = {"state": str(CrawlState.WAITING), "error": error}
        await self._queue.retry(claimed, delay, fields)

    async def _end(self, claimed: Document, state: CrawlState, error: str | None) -> None:
        fields = {"state": str(state), "error": error, "finished_at": utc_now()}
        await self._queue.complete(claimed, fields)

    async def _attempt(self, claimed: Document) -> str | None:
        """Run a crawl's process to its end; return why it failed, or None."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.crawler.crawl", claimed["_id"]),
            stdin=PIPE,  # held open: the process ends when we do
            stdout=PIPE,
            stderr=PIPE,
        )
        limit = self._settings.crawl_timeout_seconds
        output = asyncio.gather(
            _tail(process.stdout, lambda _: self._on_image()),
            _tail(process.stderr, sys.stderr.write),
        )
        try:
            async with asyncio.timeout(limit):
                if not await self._watch(process, claimed):
                    return "its lease was lost"
        except TimeoutError:
            return f"it took longer than {limit:g} s"
        finally:
            if process.returncode is None:
                process.kill()
            said, logged = await output
            status = await process.wait()
        if status == 0:
            return None
        return said or f"its process ended with status {status}: {logged}"[:_MAX_ERROR]

    async def _watch(self, process: Process, claimed: Document) -> bool:
        """Wait for the process and keep its lease; return False when the lease was lost."""
        ended = asyncio.ensure_future(process.wait())
        while True:
            done, _ = await asyncio.wait([ended], timeout=self._settings.crawl_lease_seconds / 3)
            if done:
                return True
            try:
                if not await self._queue.renew(claimed):
                    return False
            except PyMongoError as error:  # the next try may still save it
                logger.warning("the lease of %s was not renewed: %s", claimed["_id"], error)


async def _tail(stream: asyncio.StreamReader | None, on_line: Callable[[str], object]) -> str:
    """Return the last lines of a stream, once it has ended; each is told of as it comes."""
    lines: deque[str] = deque(maxlen=_TAIL_LINES)
    while stream and (line := await _line(stream)):
        lines.append(line)
        on_line(line)
    return "".join(lines).strip()[-_MAX_ERROR:]


async def _line(stream: asyncio.StreamReader) -> str:
    try:
        return (await stream.readline()).decode(errors="replace")
    except ValueError:  # longer than the reader's limit; the part that was read is dropped
        return "...\n"
