"""Subscribers of webhooks that reply what they are told to."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook

from tests.deadlines import eventually
from tests.sites import Reply, answer


async def hang(writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def drop(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


@dataclass
class Arrival:
    webhook_id: str
    headers: dict[str, str]
    body: bytes

    def is_signed_by(self, secret: str) -> dict[str, Any]:
        event: dict[str, Any] = Webhook(secret).verify(self.body, self.headers)
        return event


@dataclass
class Receiver:
    """Subscribers, one for each path: what came, and what to reply next (200 when unsaid)."""

    port: int = 0
    arrivals: defaultdict[str, list[Arrival]] = field(default_factory=lambda: defaultdict(list))
    replies: defaultdict[str, list[Reply]] = field(default_factory=lambda: defaultdict(list))
    always: dict[str, Reply] = field(default_factory=dict)

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = set[asyncio.Task[None]]()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task
            tasks.add(task)
            try:
                await self._serve(reader, writer)
            finally:
                tasks.discard(task)
                writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield
            for task in list(tasks):
                task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        except asyncio.IncompleteReadError:
            return
        path = head[0].split()[1]
        pairs = (line.split(": ", 1) for line in head[1:] if line)
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers["content-length"]))
        self.arrivals[path].append(Arrival(headers["webhook-id"], headers, body))
        waiting = self.replies[path]
        reply = waiting.pop(0) if waiting else self.always.get(path, answer())
        await reply(writer)

    async def got(self, path: str, count: int) -> list[Arrival]:
        """Wait for that many arrivals."""

        async def enough() -> bool:
            return len(self.arrivals[path]) >= count

        await eventually(enough)
        assert len(self.arrivals[path]) == count
        return self.arrivals[path]
