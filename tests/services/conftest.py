"""Apps under test are served for real: over HTTP, on a free loopback port, with their lifespan."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr

from services.fingerprint.main import create_app
from services.fingerprint.settings import Settings
from services.matcher.main import create_app as create_matcher
from services.matcher.settings import Settings as MatcherSettings
from srpitp_servicekit.mongo import Database
from tests.mongodb import ADMIN_KEY, SERVICE_KEY
from tests.services.matcher_world import Neighbours, World, bearer

Running = Callable[..., AbstractAsyncContextManager[str]]
"""``running(app, port=0)``: serves an app for as long as the block lasts; gives its address."""


@pytest.fixture(scope="session")
def running() -> Running:
    return _running


@pytest.fixture(scope="session")
async def fingerprint_address(mongodb_uri: str, running: Running) -> AsyncIterator[str]:
    """A fingerprint service that all tests share: it keeps nothing."""
    settings = Settings(
        mongodb_uri=mongodb_uri, service_key=SecretStr(SERVICE_KEY), fingerprint_workers=1
    )
    async with running(create_app(settings)) as address:
        yield address


@pytest.fixture
async def world(
    db: Database, running: Running, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    neighbours = Neighbours()
    async with running(neighbours.app()) as url:
        monkeypatch.setenv("SRPITP_CRAWLER_URL", url)
        monkeypatch.setenv("SRPITP_NOTIFICATION_URL", url)
        # Only what is exact is confirmed by rule, unless a test says otherwise.
        monkeypatch.setenv("SRPITP_ALARM_BUDGET", os.environ.get("SRPITP_ALARM_BUDGET", "1e-30"))
        async with (
            running(create_matcher(MatcherSettings())) as matcher,
            httpx.AsyncClient(base_url=matcher, headers=bearer(ADMIN_KEY), timeout=30) as http,
        ):
            made = World(http, db, neighbours)
            await made.ready()
            yield made


@asynccontextmanager
async def _running(app: FastAPI, *, port: int = 0) -> AsyncIterator[str]:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        config = uvicorn.Config(
            app, lifespan="on", ws="none", log_config=None, timeout_graceful_shutdown=5
        )
        server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started:
                assert not serving.done(), "the app did not start; its log says why"
                await asyncio.sleep(0.01)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # Ctrl-C is pytest's
