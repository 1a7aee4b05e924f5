"""A website, a real fingerprint service, and crawlers that share one database."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from services.crawler.main import create_app
from services.fingerprint.main import create_app as create_fingerprint
from srpitp_servicekit.mongo import Database
from tests.keys import ADMIN_KEY, SERVICE_KEY, bearer
from tests.services.crawler.crawling import Crawler, Matcher, Opened
from tests.services.crawler.website import Website, serving


@pytest.fixture
def website() -> Iterator[Website]:
    with serving() as site:
        yield site


@pytest.fixture(scope="module")
async def fingerprint_url(
    mongodb_uri: str, running: Any, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[str]:
    """One fingerprint service for all tests of this file: its workers take a while to start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRPITP_MONGODB_URI", mongodb_uri)
        patch.setenv("SRPITP_SERVICE_KEY", SERVICE_KEY)
        patch.setenv("SRPITP_FINGERPRINT_WORKERS", "1")
        async with running(create_fingerprint()) as url:
            yield url


@pytest.fixture
def matcher() -> Matcher:
    return Matcher()


@pytest.fixture
async def open_crawler(
    db: Database,
    running: Any,
    matcher: Matcher,
    fingerprint_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Opened]:
    """Opens crawler services that share one database."""
    monkeypatch.setenv("SRPITP_FINGERPRINT_URL", fingerprint_url)
    monkeypatch.setenv("SRPITP_CRAWL_DELAY_SECONDS", "0")
    monkeypatch.setenv("SRPITP_CRAWL_LEASE_SECONDS", "1")
    monkeypatch.setenv("SRPITP_CRAWL_RETRY_SECONDS", "0")
    monkeypatch.setenv("SRPITP_FINGERPRINT_PATIENCE_SECONDS", "0.5")

    @asynccontextmanager
    async def opened() -> AsyncIterator[Crawler]:
        headers = bearer(ADMIN_KEY)
        async with (
            running(create_app()) as url,
            httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as client,
        ):
            yield Crawler(client)

    async with running(matcher.app) as url:
        monkeypatch.setenv("SRPITP_MATCHER_URL", url)
        yield opened


@pytest.fixture
async def crawler(open_crawler: Opened) -> AsyncIterator[Crawler]:
    async with open_crawler() as opened:
        yield opened
