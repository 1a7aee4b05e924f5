"""The crawler: wiring only."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from fastapi import FastAPI

from services.crawler.api import router
from services.crawler.runner import CrawlRunner
from services.crawler.service import CrawlerService
from services.crawler.settings import Settings
from services.crawler.store import INDEXES, CrawlerStore
from services.crawler.telling import MESSAGE_SUBJECT, Telling
from srpitp_contracts.names import Collection, ServiceName
from srpitp_servicekit.app import build_app
from srpitp_servicekit.auth import Authenticator
from srpitp_servicekit.blobs import BlobStore
from srpitp_servicekit.egress import AddressPolicy
from srpitp_servicekit.mongo import open_database
from srpitp_servicekit.outbox import Outbox
from srpitp_servicekit.peers import open_peers
from srpitp_servicekit.queue import DueQueue
from srpitp_servicekit.server import serve


def create_app(settings: Settings | None = None) -> FastAPI:
    """Wire the crawler."""
    settings = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        """Open the store and the peers, then send the outbox, then crawl; end in reverse."""
        async with (
            open_database(settings, INDEXES, service=ServiceName.CRAWLER) as db,
            open_peers(settings) as peers,
        ):
            store = CrawlerStore(db)
            lease = timedelta(seconds=settings.crawl_lease_seconds)
            runner = CrawlRunner(store, DueQueue(db[Collection.CRAWLS], lease=lease), settings)
            blobs = BlobStore(settings.data_dir)
            policy = AddressPolicy(settings.egress_allow)

            async def note_compared(key: str, answer: Any) -> None:
                await service.note_compared(key, answer)

            told = {MESSAGE_SUBJECT: note_compared}
            outbox = Outbox(db, ServiceName.CRAWLER, peers, on_sent=told)
            outbox.measured_by(app.state.metrics)
            telling = Telling(db, outbox)
            service = CrawlerService(store, telling, blobs, policy, settings, runner.wake)
            app.state.db = db
            app.state.authenticator = Authenticator(db, settings)
            app.state.service = service
            async with outbox.running(), runner.running(service, outbox.wake):
                yield

    return build_app(
        ServiceName.CRAWLER,
        router,
        lifespan,
        description="Visits the monitored sites and keeps the images that they show.",
    )


if __name__ == "__main__":
    _settings = Settings()
    serve(create_app(_settings), ServiceName.CRAWLER, _settings)
