from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from srpitp_contracts.model import utc_now
from srpitp_contracts.names import Collection
from srpitp_contracts.registration import Scope
from srpitp_servicekit import auth, rendering
from srpitp_servicekit.auth import Authenticator, Caller, hash_secret, new_secret
from srpitp_servicekit.mongo import Database
from srpitp_servicekit.settings import ServiceSettings
from tests.keys import ADMIN_KEY, SERVICE_KEY, add_key


@pytest.fixture
def app(db: Database, settings: ServiceSettings) -> FastAPI:
    app = FastAPI()
    rendering.install(app)
    app.state.authenticator = Authenticator(db, settings)

    @app.get("/owner")
    async def owner(caller: auth.OwnerCaller) -> dict[str, Any]:
        return {"key_id": caller.key_id, "owner_id": caller.owner_id}

    @app.get("/reader")
    async def reader(_: auth.ReaderCaller) -> None: ...

    @app.get("/reviewer")
    async def reviewer(_: auth.ReviewerCaller) -> None: ...

    @app.get("/admin")
    async def admin(_: auth.AdminCaller) -> None: ...

    @app.get("/service")
    async def service(_: auth.ServiceCaller) -> None: ...

    return app


async def get(app: FastAPI, path: str, authorization: str | bytes | None) -> httpx.Response:
    headers = {} if authorization is None else {"Authorization": authorization}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get(path, headers=headers)  # type: ignore[arg-type]


PATHS = ("/owner", "/reader", "/reviewer", "/admin", "/service")


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        ({Scope.OWNER}, {"/owner", "/reader"}),
        ({Scope.REVIEWER}, {"/reader", "/reviewer"}),
        ({Scope.SERVICE}, {"/service"}),
        ({Scope.ADMIN}, {*PATHS}),
        ({Scope.OWNER, Scope.REVIEWER}, {"/owner", "/reader", "/reviewer"}),
        (set(), set()),
    ],
)
async def test_scope_opens_what_it_names(
    app: FastAPI, db: Database, scopes: set[Scope], allowed: set[str]
) -> None:
    secret = await add_key(db, "owner", *scopes)
    for path in PATHS:
        response = await get(app, path, f"Bearer {secret}")
        assert response.status_code == (200 if path in allowed else 403)
        if path not in allowed:
            assert response.json()["code"] == "not_allowed"


async def test_keys_of_the_settings(app: FastAPI) -> None:
    assert [(await get(app, path, f"Bearer {ADMIN_KEY}")).status_code for path in PATHS] == [
        *[200] * 5
    ]
    by_service = [(await get(app, path, f"Bearer {SERVICE_KEY}")).status_code for path in PATHS]
    assert by_service == [403, 403, 403, 403, 200]


async def test_caller_is_the_key_s_owner(app: FastAPI, db: Database) -> None:
    secret = await add_key(db, "owner", Scope.OWNER, _id="key")
    answer = await get(app, "/owner", f"Bearer {secret}")
    assert answer.json() == {"key_id": "key", "owner_id": "owner"}


async def test_revoked_key_opens_nothing_from_then_on(app: FastAPI, db: Database) -> None:
    secret = await add_key(db, "owner", Scope.OWNER, _id="key")
    assert (await get(app, "/owner", f"Bearer {secret}")).status_code == 200
    await db[Collection.API_KEYS].update_one({"_id": "key"}, {"$set": {"revoked_at": utc_now()}})
    response = await get(app, "/owner", f"Bearer {secret}")
    assert response.status_code == 401
    assert secret not in response.text


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic dTpw",
        "Bearer unknown",
        "Bearer \xff".encode("latin-1"),
    ],
)
async def test_nobody(app: FastAPI, authorization: str | bytes | None) -> None:
    response = await get(app, "/owner", authorization)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.json()["code"] == "not_authenticated"


async def test_hash_of_a_key_is_no_key(app: FastAPI, db: Database) -> None:
    secret = await add_key(db, "owner", Scope.OWNER)
    assert (await get(app, "/owner", f"Bearer {hash_secret(secret)}")).status_code == 401


def test_secrets_are_new_and_long() -> None:
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert all(one.startswith("srpitp_") and len(one) >= 7 + 43 for one in secrets)


@pytest.mark.parametrize(
    ("scope", "sees"),
    [(Scope.OWNER, False), (Scope.REVIEWER, True), (Scope.ADMIN, True), (Scope.SERVICE, True)],
)
def test_who_sees_what_is_another_owner_s(scope: Scope, sees: bool) -> None:
    caller = Caller("key", frozenset({scope}), "mine")
    assert caller.may_see("mine")
    assert caller.may_see("other") is sees
