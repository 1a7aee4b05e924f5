"""What the tests of this library share beside the workspace's own fixtures."""

import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from srpitp_servicekit.egress import guarded_client
from srpitp_servicekit.settings import ServiceSettings
from tests.sites import LOOPBACK, Site, a_site


@pytest.fixture
def settings(environment: dict[str, str]) -> ServiceSettings:
    return ServiceSettings()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with a_site() as site:
        yield site


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with guarded_client(LOOPBACK) as client:
        yield client


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """Names and what they resolve to, one list for each time that they are asked for."""
    table: dict[str, list[list[str]]] = {}
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        if host not in table:
            return real(host, port, *args, **options)
        if not table[host]:
            raise socket.gaierror(socket.EAI_NONAME, "asked once too often")
        found = table[host].pop(0)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return table
