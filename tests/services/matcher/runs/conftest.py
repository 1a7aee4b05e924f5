"""A matcher whose runs are small child processes."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from services.matcher.main import create_app
from services.matcher.runs.launchers import Launcher
from services.matcher.settings import Settings
from srpitp_contracts.names import Collection
from srpitp_contracts.runs import Run, RunState
from srpitp_servicekit.mongo import Database
from tests.deadlines import eventually
from tests.keys import ADMIN_KEY, bearer
from tests.serving import Running


@dataclass
class Runs:
    """The runs of a matcher, over REST."""

    http: httpx.AsyncClient
    db: Database
    settings: Settings

    async def start(self, *, key: str | None = None, **request: Any) -> Run:
        headers = {"Idempotency-Key": key} if key else {}
        response = await self.http.post(
            "/v1/runs", json={"kind": "match", **request}, headers=headers
        )
        assert response.status_code == 202, response.text
        return Run.model_validate_json(response.content)

    async def get(self, run_id: str) -> Run:
        response = await self.http.get(f"/v1/runs/{run_id}")
        assert response.status_code == 200, response.text
        return Run.model_validate_json(response.content)

    async def until(self, run_id: str, *states: RunState, seconds: float = 30) -> Run:
        async def is_there() -> bool:
            return (await self.get(run_id)).state in states

        await eventually(is_there, seconds=seconds)
        return await self.get(run_id)

    async def closed(self, run_id: str) -> None:
        """Wait until nobody watches the run any more."""

        async def is_closed() -> bool:
            document = await self.db[Collection.RUNS].find_one({"_id": run_id})
            return document is not None and document["due_at"] is None

        await eventually(is_closed)


Serving = Callable[..., AbstractAsyncContextManager[Runs]]
"""``serving(settings, launcher)``: a matcher for as long as the block lasts."""


@pytest.fixture
def serving(db: Database, running: Running) -> Serving:
    @asynccontextmanager
    async def serve(settings: Settings, launcher: Launcher) -> AsyncIterator[Runs]:
        async with (
            running(create_app(settings, launcher)) as address,
            httpx.AsyncClient(base_url=address, headers=bearer(ADMIN_KEY)) as http,
        ):
            yield Runs(http, db, settings)

    return serve
