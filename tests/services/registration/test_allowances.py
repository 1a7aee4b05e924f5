"""Allowances over HTTP: who may make them, and what the matcher is told."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from services.registration.main import create_app
from services.registration.settings import Settings
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import Collection
from srpitp_contracts.problems import ProblemCode
from srpitp_contracts.registration import IssuedKey
from srpitp_servicekit.mongo import Database
from tests.services.registration.registering import Registrar, refused_with, registrar_at
from tests.serving import Running

SITE = {"kind": "site", "value": "Example.org", "note": "a licence until spring"}


@pytest.fixture
async def registrar(
    environment: dict[str, str], running: Running, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Registrar]:
    monkeypatch.setenv("SRPITP_MATCHER_URL", "http://127.0.0.1:9")
    settings = Settings(allowances_per_owner=3)
    async with running(create_app(settings)) as address, registrar_at(address) as registrar:
        yield registrar


@pytest.fixture
async def owner(registrar: Registrar) -> IssuedKey:
    return await registrar.owner()


async def allow(registrar: Registrar, key: IssuedKey, body: Any, **options: Any) -> dict[str, Any]:
    answer = await registrar.call("POST", "/v1/allowances", key=key.secret, json=body, **options)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def messages(db: Database) -> list[dict[str, Any]]:
    found = db[Collection.OUTBOX].find({"subject": "allowance"}).sort("due_at", 1)
    return [message async for message in found]


async def test_from_its_beginning_to_its_end(
    registrar: Registrar, owner: IssuedKey, db: Database
) -> None:
    until = (utc_now() + timedelta(days=9)).isoformat()
    made = await allow(registrar, owner, {**SITE, "valid_until": until, "image_ids": ["photo"]})
    assert (made["owner_id"], made["value"], made["on"]) == (owner.owner_id, "example.org", None)
    listed = await registrar.call("GET", "/v1/allowances", key=owner.secret)
    assert listed.json()["items"] == [made]

    begins, ends = await messages(db)
    assert begins["path"] == f"/v1/allowances/{made['id']}"
    assert begins["body"]["at"] == made["valid_from"]
    assert ends["body"] == {"owner_id": owner.owner_id, "at": made["valid_until"]}
    assert ends["due_at"] - begins["created_at"] > timedelta(days=8)

    path = f"/v1/allowances/{made['id']}"
    assert (await registrar.call("DELETE", path, key=owner.secret)).status_code == 204
    assert len(await messages(db)) == 3
    gone = await registrar.call("DELETE", path, key=owner.secret)
    refused_with(gone, 404, ProblemCode.NOT_FOUND)
    assert (await registrar.call("GET", "/v1/allowances", key=owner.secret)).json()["items"] == []


async def test_the_same_request_again_makes_no_second(
    registrar: Registrar, owner: IssuedKey
) -> None:
    once = {"headers": {"Idempotency-Key": "one"}}
    made = await allow(registrar, owner, SITE, **once)
    assert await allow(registrar, owner, SITE, **once) == made
    other = await registrar.call(
        "POST", "/v1/allowances", key=owner.secret, json={**SITE, "value": "other.org"}, **once
    )
    refused_with(other, 422, ProblemCode.IDEMPOTENCY_KEY_REUSED)


async def test_an_owner_has_its_own_only(registrar: Registrar, owner: IssuedKey) -> None:
    made = await allow(registrar, owner, SITE)
    other = await registrar.owner("Someone else")
    assert (await registrar.call("GET", "/v1/allowances", key=other.secret)).json()["items"] == []
    path = f"/v1/allowances/{made['id']}"
    refused_with(await registrar.call("DELETE", path, key=other.secret), 404, ProblemCode.NOT_FOUND)
    theirs: dict[str, Any] = {"params": {"owner_id": owner.owner_id}}
    refused = await registrar.call("GET", "/v1/allowances", key=other.secret, **theirs)
    refused_with(refused, 404, ProblemCode.NOT_FOUND)
    refused = await registrar.call("POST", "/v1/allowances", key=other.secret, json=SITE, **theirs)
    refused_with(refused, 403, ProblemCode.NOT_ALLOWED)
    by_admin = await registrar.call("POST", "/v1/allowances", json=SITE, **theirs)
    assert by_admin.json()["owner_id"] == owner.owner_id
    assert len((await registrar.call("GET", "/v1/allowances")).json()["items"]) == 2


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "site", "value": "example.org/blog"},
        {"kind": "page_prefix", "value": "https://example.org@evil.com/"},
        {"kind": "uploader", "value": "Anna"},
        {**SITE, "valid_until": "2020-01-01T00:00:00Z"},
        {**SITE, "more": 1},
    ],
)
async def test_what_is_refused(registrar: Registrar, owner: IssuedKey, body: Any) -> None:
    answer = await registrar.call("POST", "/v1/allowances", key=owner.secret, json=body)
    refused_with(answer, 422, ProblemCode.INVALID_REQUEST)


async def test_there_is_an_end_to_it(registrar: Registrar, owner: IssuedKey) -> None:
    for number in range(3):
        await allow(registrar, owner, {**SITE, "value": f"{number}.example"})
    answer = await registrar.call("POST", "/v1/allowances", key=owner.secret, json=SITE)
    refused_with(answer, 409, ProblemCode.CONFLICT)


async def test_an_owner_chooses_of_what_to_be_alerted(
    registrar: Registrar, owner: IssuedKey
) -> None:
    path = f"/v1/owners/{owner.owner_id}"
    assert (await registrar.call("GET", path)).json()["alert_policy"] == "confirmed"
    wanted = {"alert_policy": "everything"}
    answer = await registrar.call("PATCH", path, key=owner.secret, json=wanted)
    assert answer.json()["alert_policy"] == "everything"
    answer = await registrar.call("PATCH", path, json={})
    assert answer.json()["alert_policy"] == "everything"
    other = await registrar.owner("Someone else")
    refused = await registrar.call("PATCH", path, key=other.secret, json=wanted)
    refused_with(refused, 404, ProblemCode.NOT_FOUND)
    refused = await registrar.call("PATCH", path, json={"alert_policy": "nothing"})
    refused_with(refused, 422, ProblemCode.INVALID_REQUEST)
