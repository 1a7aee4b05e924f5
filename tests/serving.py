"""Apps under test are served for real: over HTTP, on a free loopback port, with their lifespan."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager

import pytest
import uvicorn
from fastapi import FastAPI

Running = Callable[..., AbstractAsyncContextManager[str]]
"""``running(app, port=0)``: serves an app for as long as the block lasts; gives its address."""


@pytest.fixture(scope="session")
def running() -> Running:
    return _running


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
            server.ended.set()
            await serving


class _Server(uvicorn.Server):
    """Ends as soon as it is told to, and not at the next tick: it is done hundreds of times."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ended = asyncio.Event()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self.ended.wait()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # Ctrl-C is pytest's
