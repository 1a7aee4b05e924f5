import json
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Header, HTTPException
from pydantic import SecretStr, field_validator
from pymongo.errors import AutoReconnect, ExecutionTimeout, OperationFailure

from srpitp_contracts.model import Model
from srpitp_contracts.names import ServiceName
from srpitp_contracts.problems import Problem
from srpitp_servicekit import problems
from srpitp_servicekit.app import build_app
from srpitp_servicekit.problems import ConflictError, UnavailableError


class Body(Model):
    count: int
    password: SecretStr
    code: str = ""

    @field_validator("code")
    @classmethod
    def _is_right(cls, code: str) -> str:
        if code:
            raise ValueError("is not right")
        return code


RAISED: dict[str, Exception] = {
    "conflict": ConflictError("It is taken."),
    "away": UnavailableError("Come back.", retry_after_seconds=7),
    "teapot": HTTPException(418, "short and stout", headers={"X-Tea": "1"}),
    "unexpected": RuntimeError("the password is hunter2"),
    "no primary": AutoReconnect("mongodb://user:hunter2@inner.host"),
    "slow": ExecutionTimeout("operation exceeded time limit"),
    "driver": OperationFailure("hunter2 is a bad value", 2),
}


@pytest.fixture
def app() -> FastAPI:
    router = APIRouter()

    @router.get("/raise/{what}")
    async def fail(what: str) -> None:
        raise RAISED[what]

    @router.post("/body")
    async def body(body: Body, limit: Annotated[int, Header()] = 0) -> None: ...

    return build_app(ServiceName.CRAWLER, router, None, description="")  # type: ignore[arg-type]


async def ask(app: FastAPI, method: str, path: str, **options: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(method, f"/v1{path}", **options)


def problem(response: httpx.Response) -> Problem:
    assert response.headers["Content-Type"] == "application/problem+json"
    found = Problem.model_validate_json(response.content)
    assert found.status == response.status_code
    assert found.instance
    assert found.detail
    return found


@pytest.mark.parametrize(
    ("what", "status", "code"),
    [
        ("conflict", 409, "conflict"),
        ("away", 503, "service_unavailable"),
        ("teapot", 418, "invalid_request"),
        ("unexpected", 500, "internal_error"),
        ("no primary", 503, "store_unavailable"),
        ("slow", 503, "store_unavailable"),
        ("driver", 500, "internal_error"),
    ],
)
async def test_error_is_a_problem(app: FastAPI, what: str, status: int, code: str) -> None:
    response = await ask(app, "GET", f"/raise/{what}", headers={"X-Request-ID": "mine"})
    found = problem(response)
    assert (response.status_code, found.code) == (status, code)
    assert found.instance == "mine"
    assert "hunter2" not in response.text
    if status == 503:
        assert int(response.headers["Retry-After"]) > 0
    if what == "teapot":
        assert response.headers["X-Tea"] == "1"


async def test_unexpected_error_is_logged(app: FastAPI, caplog: pytest.LogCaptureFixture) -> None:
    await ask(app, "GET", "/raise/unexpected")
    assert "GET /v1/raise/unexpected failed" in caplog.text


async def test_unknown_path_and_method(app: FastAPI) -> None:
    assert problem(await ask(app, "GET", "/nowhere")).code == "not_found"
    response = await ask(app, "PUT", "/body")
    assert problem(response).code == "method_not_allowed"
    assert response.headers["Allow"] == "POST"


@pytest.mark.parametrize(
    "content",
    [
        '{"count": "hunter2", "password": "hunter2"}',
        '{"count": 1, "password": ["hunter2"]}',
        '{"count": 1, "password": "x", "code": "hunter2"}',
        '{"password": "hunter2"',
        '"hunter2"',
        "",
    ],
)
async def test_wrong_request_is_explained_and_not_repeated(app: FastAPI, content: str) -> None:
    response = await ask(
        app, "POST", "/body", content=content, headers={"Content-Type": "application/json"}
    )
    found = problem(response)
    assert (response.status_code, found.code) == (422, "invalid_request")
    assert found.errors
    assert found.errors[0].field.startswith("body")
    assert "hunter2" not in response.text


async def test_field_is_named(app: FastAPI) -> None:
    response = await ask(app, "POST", "/body", json={"password": "x"}, headers={"limit": "many"})
    errors = problem(response).errors or []
    assert {one.field for one in errors} == {"body.count", "header.limit"}


async def test_text_that_is_no_unicode_is_a_problem_too(app: FastAPI) -> None:
    content = json.dumps({"\ud800": 1, "count": "\ud800"})
    response = await ask(
        app, "POST", "/body", content=content, headers={"Content-Type": "application/json"}
    )
    assert problem(response).code == "invalid_request"


def test_routes_document_their_problems() -> None:
    documented = problems.responses(404)
    assert set(documented) == {404, 401, 403, 422, 503}
    assert all("application/problem+json" in one["content"] for one in documented.values())
