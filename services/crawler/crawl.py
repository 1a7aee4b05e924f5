"""One crawl, as a process of its own: ``python -m services.crawler.crawl <crawl_id>``.

A process, since Scrapy's reactor runs once in each, and since what strangers' sites do to it must
not do it to the service. It ends with its parent (standard input closes), within its memory, and
as soon as its lease is lost. On success it returns 0; otherwise it says why on standard output,
where each image that it stored is an empty line.
"""

import asyncio
import logging
import os
import resource
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from scrapy import signals
from scrapy.crawler import AsyncCrawlerRunner, Crawler
from scrapy.utils.defer import deferred_from_coro
from scrapy.utils.reactor import install_reactor
from twisted.internet.task import react

from services.crawler.findings import FindingStore
from services.crawler.guard import GuardedResolver
from services.crawler.intake import Intake
from services.crawler.politeness import scrapy_settings
from services.crawler.settings import Settings
from services.crawler.spider import SiteSpider
from services.crawler.telling import Telling
from srpitp_contracts.names import ServiceName
from srpitp_servicekit.blobs import BlobStore
from srpitp_servicekit.egress import AddressPolicy
from srpitp_servicekit.mongo import PyMongoError, open_database
from srpitp_servicekit.outbox import Outbox
from srpitp_servicekit.peers import open_peers
from srpitp_servicekit.telemetry import configure_logging

logger = logging.getLogger(__name__)

_REPORT_SECONDS = 0.5
_STANDARD_INPUT = 0


class CrawlFailedError(Exception):
    """The crawl came to nothing; the text says why."""


class ParentsOutbox(Outbox):
    """Messages that the service sends: a line on our standard output says that there is one."""

    def wake(self) -> None:
        """Tell the service to send now what was added."""
        print(flush=True)


class Progress:
    """Writes how far the crawl is, and stops it when it must not go on."""

    def __init__(self, crawler: Crawler, store: FindingStore, intake: Intake) -> None:
        self._crawler = crawler
        self._store = store
        self._intake = intake
        self.failure: str | None = None
        crawler.signals.connect(self._on_error, signal=signals.spider_error)

    @asynccontextmanager
    async def reporting(self, crawl_id: str, lease: str) -> AsyncIterator[None]:
        """Report every now and then for as long as the block lasts, and once after it."""
        task = asyncio.create_task(self._report_always(crawl_id, lease))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self._store.report(crawl_id, lease, self._intake.counts)

    async def _report_always(self, crawl_id: str, lease: str) -> None:
        while True:
            await asyncio.sleep(_REPORT_SECONDS)
            try:
                is_ours = await self._store.report(crawl_id, lease, self._intake.counts)
            except PyMongoError as error:
                logger.warning("progress was not written: %s", error)
            else:
                if not is_ours:
                    await self._stop("another process has taken the crawl over, or it was deleted")

    def _on_error(self, failure: Any, **_: Any) -> None:
        """Count an error of ours; the crawl goes on, unless the store is away."""
        self._intake.count_failure()
        if failure.check(PyMongoError):
            self._stopping = asyncio.ensure_future(
                self._stop(f"the store is away: {failure.getErrorMessage()}")
            )

    async def _stop(self, reason: str) -> None:
        self.failure = self.failure or reason
        await self._crawler.stop_async()


async def _crawl(reactor: Any, crawl_id: str, settings: Settings) -> None:
    async with (
        open_database(settings, service=ServiceName.CRAWLER) as db,
        open_peers(settings) as peers,
    ):
        telling = Telling(db, ParentsOutbox(db, ServiceName.CRAWLER, peers))
        store = FindingStore(db, telling)
        found = await store.running_crawl(crawl_id)
        if found is None:
            raise CrawlFailedError("there is no such crawl under a lease")
        crawl, site, lease = found
        resolver = GuardedResolver(AddressPolicy(settings.egress_allow))
        reactor.installNameResolver(resolver)
        intake = Intake(crawl, store, BlobStore(settings.data_dir), peers, settings)
        runner = AsyncCrawlerRunner(scrapy_settings(settings, site))
        crawler: Any = runner.create_crawler(SiteSpider)
        progress = Progress(crawler, store, intake)
        async with progress.reporting(crawl_id, lease):
            await runner.crawl(crawler, site=site, intake=intake)
        if progress.failure:
            raise CrawlFailedError(progress.failure)
        if left := crawler.spider.not_fingerprinted:
            raise CrawlFailedError(
                f"the fingerprint service was away; images that wait for it: {left}"
            )
        if reason := crawler.spider.start_failure:
            reason = resolver.refused.get(urlsplit(site.address).hostname or "", reason)
            raise CrawlFailedError(f"{site.address} could not be crawled: {reason}")


def _end_with_parent() -> None:
    """End as soon as the service ends, however it ended: it holds our standard input open."""

    def wait() -> None:
        # Not by sys.stdin: a thread that is inside of it aborts the interpreter's shutdown.
        while os.read(_STANDARD_INPUT, 1024):
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def main(crawl_id: str) -> int:
    """Run a crawl; return the exit status."""
    settings = Settings()
    configure_logging(settings.log_level)
    logging.getLogger("scrapy").setLevel(logging.WARNING)
    limit = settings.crawl_memory_mb * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    _end_with_parent()
    install_reactor("twisted.internet.asyncioreactor.AsyncioSelectorReactor")
    failures: list[str] = []

    async def crawl(reactor: Any) -> None:
        try:
            await _crawl(reactor, crawl_id, settings)
        except CrawlFailedError as error:
            failures.append(str(error))

    try:
        react(lambda reactor: deferred_from_coro(crawl(reactor)))
    except SystemExit as end:
        if failures:
            print(failures[0], flush=True)
            return 2
        return end.code if isinstance(end.code, int) else 1
    return 1  # react always ends by SystemExit


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
