import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from asgi_correlation_id import correlation_id
from fastapi import APIRouter, FastAPI

from srpitp_contracts.names import ServiceName
from srpitp_servicekit.app import build_app
from srpitp_servicekit.embedded import free_port
from srpitp_servicekit.mongo import Database, open_database
from srpitp_servicekit.settings import ServiceSettings
from srpitp_servicekit.telemetry import configure_logging
from tests.serving import Running


def make(db: Database | None = None, *, name: ServiceName = ServiceName.CRAWLER) -> FastAPI:
    router = APIRouter()

    @router.get("/id")
    async def request_id() -> str | None:
        await asyncio.sleep(0)
        return correlation_id.get()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if db is not None:
            app.state.db = db
        yield

    return build_app(name, router, lifespan, description="A test.")


async def test_request_id_is_passed_through(running: Running) -> None:
    async with running(make()) as url, httpx.AsyncClient(base_url=url) as http:
        for sane in ("a", "0b3f9f9e-52c9-4f2c-8f8e-000000000000", "x" * 64):
            response = await http.get("/v1/id", headers={"X-Request-ID": sane})
            assert response.json() == response.headers["X-Request-ID"] == sane


@pytest.mark.parametrize("hostile", ["x" * 65, "a\tb", "\xff", "", "x" * 10_000])
async def test_hostile_request_id_is_replaced(running: Running, hostile: str) -> None:
    async with running(make()) as url, httpx.AsyncClient(base_url=url) as http:
        headers = [(b"X-Request-ID", hostile.encode("latin-1"))]
        response = await http.get("/v1/id", headers=headers)
        assert response.json() == response.headers["X-Request-ID"] != hostile
        assert len(response.json()) == 32


async def test_each_request_has_its_own_id(running: Running) -> None:
    async with running(make()) as url, httpx.AsyncClient(base_url=url) as http:
        answers = await asyncio.gather(*(http.get("/v1/id") for _ in range(20)))
    assert len({one.json() for one in answers}) == 20


async def test_ready_while_mongodb_is_there(running: Running, db: Database) -> None:
    async with running(make(db)) as url, httpx.AsyncClient(base_url=url) as http:
        assert (await http.get("/health/live")).json() == {"status": "live"}
        assert (await http.get("/health/ready")).json() == {"status": "ready"}


async def test_live_but_not_ready_while_mongodb_is_away(
    running: Running, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "SRPITP_MONGODB_URI", f"mongodb://127.0.0.1:{free_port()}/?replicaSet=srpitp"
    )
    monkeypatch.setenv("SRPITP_MONGODB_TIMEOUT_SECONDS", "0.3")
    async with (
        open_database(ServiceSettings()) as away,
        running(make(away)) as url,
        httpx.AsyncClient(base_url=url) as http,
    ):
        assert (await http.get("/health/live")).status_code == 200
        response = await http.get("/health/ready")
    assert response.status_code == 503
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "store_unavailable"


async def test_apps_in_one_process_do_not_meet(running: Running, db: Database) -> None:
    """The health routes are one router for all: each app must still see its own state."""
    both = FastAPI()
    crawler, matcher = make(), make(db, name=ServiceName.MATCHER)
    matcher.state.db = db
    both.mount("/crawler", crawler)
    both.mount("/matcher", matcher)
    async with running(both) as url, httpx.AsyncClient(base_url=url) as http:
        assert (await http.get("/crawler/health/ready")).status_code == 200
        assert (await http.get("/matcher/health/ready")).status_code == 200
        titles = [
            (await http.get(f"/{name}/openapi.json")).json()["info"]["title"]
            for name in ("crawler", "matcher")
        ]
    assert titles == ["SRPITP crawler", "SRPITP matcher"]
    assert not hasattr(crawler.state, "db")


def test_logs_are_json_lines_with_the_request_id(capfd: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    token = correlation_id.set("a-request-id-that-is-longer-than-32-characters")
    try:
        configure_logging("INFO")
        logging.getLogger("srpitp").info("said %s\nand more", "this")
        logging.getLogger("httpx").info("not said")
    finally:
        correlation_id.reset(token)
        root.handlers[:] = handlers
        root.setLevel(level)
    [line] = capfd.readouterr().err.splitlines()
    said = json.loads(line)
    assert said["message"] == "said this\nand more"
    assert said["request_id"] == "a-request-id-that-is-longer-than-32-characters"
    assert (said["level"], said["logger"]) == ("INFO", "srpitp")
