from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from prometheus_client.parser import text_string_to_metric_families

from srpitp_contracts.names import ServiceName
from srpitp_servicekit.app import build_app
from srpitp_servicekit.metrics import Metrics
from tests.serving import Running


def make() -> FastAPI:
    router = APIRouter()

    @router.get("/things/{name}")
    async def thing(name: str) -> str:
        if name == "broken":
            raise RuntimeError(name)
        return name

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield

    return build_app(ServiceName.CRAWLER, router, lifespan, description="A test.")


def values(text: str) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_requests_are_measured_by_route(running: Running) -> None:
    async with running(make()) as url, httpx.AsyncClient(base_url=url) as http:
        for name in ("a", "b", "broken"):
            await http.get(f"/v1/things/{name}")
        await http.get("/nowhere/7")
        answer = await http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    seen = values(answer.text)
    counted = "srpitp_request_seconds_count"
    assert seen[counted, "GET", "/things/{name}", "200"] == 2
    assert seen[counted, "GET", "/things/{name}", "500"] == 1
    assert seen[counted, "GET", "none", "404"] == 1
    assert not [labels for labels in seen if "/nowhere/7" in labels]


async def test_each_app_counts_for_itself(running: Running) -> None:
    one, other = make(), make()
    async with running(one) as url, httpx.AsyncClient(base_url=url) as http:
        await http.get("/v1/things/a")
    assert b'"/things/{name}"' in await one.state.metrics.exposed()
    assert b'"/things/{name}"' not in await other.state.metrics.exposed()


async def test_a_value_that_cannot_be_read_leaves_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    metrics = Metrics()

    async def away() -> float:
        raise ConnectionError("away")

    async def waiting() -> float:
        return 3

    metrics.gauge("broken", "A value that is away", away)
    metrics.gauge("waiting", "A value of the store", waiting)
    metrics.gauge("here", "A value at hand", lambda: 5)
    seen = values((await metrics.exposed()).decode())
    assert seen["broken",] != seen["broken",]
    assert (seen["waiting",], seen["here",]) == (3, 5)
    assert "could not be read" in caplog.text
