"""A registration service under test, with owners, and a real fingerprint service behind it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from srpitp_contracts.problems import Problem, ProblemCode
from srpitp_contracts.registration import IssuedKey, Owner, ProtectedImage
from tests.keys import ADMIN_KEY, bearer


class Registrar:
    """Calls a registration service as an administrator, or as whoever's key is given."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def call(
        self, method: str, path: str, *, key: str = ADMIN_KEY, **options: Any
    ) -> httpx.Response:
        headers = bearer(key) | options.pop("headers", {})
        return await self._client.request(method, path, headers=headers, **options)

    async def owner(self, name: str = "Studio Northlight") -> IssuedKey:
        """Make an owner, and return a key of it."""
        made = await self.call("POST", "/v1/owners", json={"name": name})
        owner = Owner.model_validate_json(made.content)
        issued = await self.call("POST", f"/v1/owners/{owner.id}/keys", json={})
        return IssuedKey.model_validate_json(issued.content)

    async def protect(
        self, data: bytes, key: IssuedKey, headers: dict[str, str] | None = None, **fields: str
    ) -> httpx.Response:
        files = {"file": ("photo.jpg", data)}
        return await self.call(
            "POST", "/v1/images", key=key.secret, files=files, data=fields, headers=headers or {}
        )


@asynccontextmanager
async def registrar_at(address: str) -> AsyncIterator[Registrar]:
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        yield Registrar(client)


def image_of(answer: httpx.Response) -> ProtectedImage:
    assert answer.is_success, answer.text
    return ProtectedImage.model_validate_json(answer.content)


def refused_with(answer: httpx.Response, status: int, code: ProblemCode) -> Problem:
    """Check that an answer is a problem, and return it."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem = Problem.model_validate_json(answer.content)
    assert (answer.status_code, problem.status, problem.code) == (status, status, code)
    return problem


def files_in(environment: dict[str, str]) -> list[Path]:
    folder = Path(environment["SRPITP_DATA_DIR"])
    return [path for path in folder.rglob("*") if path.is_file()]
