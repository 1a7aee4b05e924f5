import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request

from srpitp_contracts.names import ServiceName
from srpitp_servicekit import auth, body_limit
from srpitp_servicekit.app import build_app
from srpitp_servicekit.auth import Authenticator
from srpitp_servicekit.mongo import Database
from srpitp_servicekit.settings import ServiceSettings
from srpitp_servicekit.uploads import received_file
from tests.keys import SERVICE_KEY, bearer
from tests.serving import Running

PIECE = b" " * 2**16


@pytest.fixture
def app(db: Database, settings: ServiceSettings) -> FastAPI:
    router = APIRouter()

    @router.post("/json")
    async def take(body: dict[str, Any], _: auth.ServiceCaller) -> int:
        return len(body)

    @router.post("/file")
    async def receive(request: Request, _: auth.ServiceCaller) -> int:
        async with received_file(request, max_bytes=300_000) as file:
            return file.size or 0

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.authenticator = Authenticator(db, settings)
        yield

    return build_app(ServiceName.MATCHER, router, lifespan, description="")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_limit, "MOST_BYTES", 100_000)


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield PIECE


@pytest.mark.parametrize("content_type", ["application/json", "image/png", "multipart/form-data"])
async def test_stranger_cannot_fill_our_memory(
    app: FastAPI, running: Running, content_type: str
) -> None:
    async with running(app) as url, httpx.AsyncClient(base_url=url) as http:
        try:
            async with asyncio.timeout(20):
                response = await http.post(
                    "/v1/json", content=endless(), headers={"Content-Type": content_type}
                )
        except httpx.NetworkError:
            return  # the server hung up on the rest before we had read its answer
        assert response.status_code in {401, 413, 422}
        assert response.headers["Content-Type"] == "application/problem+json"


@pytest.mark.usefixtures("small")
async def test_larger_body_is_a_problem(app: FastAPI, running: Running) -> None:
    headers = {"Authorization": f"Bearer {SERVICE_KEY}", "Content-Type": "application/json"}
    async with running(app) as url, httpx.AsyncClient(base_url=url, headers=headers) as http:
        fits = await http.post("/v1/json", content=b'{"a": 1}' + b" " * 99_000)
        assert fits.json() == 1
        response = await http.post("/v1/json", content=b'{"a": 1}' + b" " * 100_000)
    assert response.status_code == 413
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "invalid_request"


@pytest.mark.usefixtures("small")
async def test_file_has_a_limit_of_its_own(app: FastAPI, running: Running) -> None:
    headers = bearer(SERVICE_KEY)
    async with running(app) as url, httpx.AsyncClient(base_url=url, headers=headers) as http:
        assert (await http.post("/v1/file", content=bytes(300_000))).json() == 300_000
        form = {"file": ("x.png", bytes(300_000))}
        assert (await http.post("/v1/file", files=form)).json() == 300_000
        response = await http.post("/v1/file", content=bytes(300_001))
        assert response.json()["code"] == "image_too_large"
