"""Servers on loopback that reply what they are told to, byte by byte, and how they are fetched."""

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from srpitp_servicekit.egress import AddressPolicy, Fetched, fetch

LOOPBACK = AddressPolicy([ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")])

Reply = Callable[[asyncio.StreamWriter], Awaitable[None]]


def answer(body: bytes = b"", status: int = 200, **headers: str) -> Reply:
    """Return a reply with a status, a body and headers (``Retry_After`` for ``Retry-After``)."""

    async def reply(writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await writer.drain()

    return reply


@dataclass
class Site:
    """A server that replies what it is told to, path by path."""

    port: int = 0
    replies: dict[str, Reply] = field(default_factory=dict)
    heads: list[str] = field(default_factory=list)

    def address(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            await self.replies[head.split()[1]](writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def a_site(host: str = "127.0.0.1", **options: Any) -> AsyncIterator[Site]:
    site = Site()
    server = await asyncio.start_server(site.serve, host, 0, **options)
    site.port = server.sockets[0].getsockname()[1]
    async with server:
        yield site


async def get(client: httpx.AsyncClient, address: str, **options: Any) -> Fetched:
    return await fetch(client, address, **{"max_bytes": 10_000, "timeout_seconds": 5} | options)
