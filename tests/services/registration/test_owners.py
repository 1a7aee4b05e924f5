"""Owners and keys, and who may do what."""

import json
from typing import Any

import httpx

from srpitp_contracts.names import Collection
from srpitp_contracts.pages import Page
from srpitp_contracts.problems import ProblemCode
from srpitp_contracts.registration import IssuedKey, Key, Owner
from srpitp_servicekit.mongo import Database
from tests.keys import SERVICE_KEY
from tests.services import images
from tests.services.registration.registering import Registrar, image_of, refused_with

GOOD = images.jpeg(images.photo())


async def test_who_may_do_what(registrar: Registrar, owner: IssuedKey) -> None:
    made = image_of(await registrar.protect(GOOD, owner))
    path = f"/v1/images/{made.id}"
    other = await registrar.owner("Agency South")
    for method in ("GET", "PATCH", "DELETE"):
        body: dict[str, Any] = {"json": {}} if method == "PATCH" else {}
        answer = await registrar.call(method, path, key=other.secret, **body)
        refused_with(answer, 404, ProblemCode.NOT_FOUND)
        unknown = await registrar.call(method, "/v1/images/unknown", key=other.secret, **body)
        assert unknown.json()["detail"] == answer.json()["detail"]
    for address in (f"{path}/file", f"/v1/owners/{owner.owner_id}"):
        refused_with(
            await registrar.call("GET", address, key=other.secret), 404, ProblemCode.NOT_FOUND
        )
    answer = await registrar.call(
        "GET", "/v1/images", key=other.secret, params={"owner_id": owner.owner_id}
    )
    refused_with(answer, 404, ProblemCode.NOT_FOUND)
    answer = await registrar.call("GET", "/v1/images", headers={"Authorization": ""})
    refused_with(answer, 401, ProblemCode.NOT_AUTHENTICATED)
    assert answer.headers["www-authenticate"] == "Bearer"
    answer = await registrar.call("GET", "/v1/images", key="srpitp_guessed")
    refused_with(answer, 401, ProblemCode.NOT_AUTHENTICATED)
    answer = await registrar.call("POST", "/v1/owners", key=owner.secret, json={"name": "X"})
    refused_with(answer, 403, ProblemCode.NOT_ALLOWED)
    answer = await registrar.protect(GOOD, owner.model_copy(update={"secret": SERVICE_KEY}))
    refused_with(answer, 403, ProblemCode.NOT_ALLOWED)
    answer = await registrar.call("PUT", "/v1/images", key=owner.secret)
    refused_with(answer, 405, ProblemCode.METHOD_NOT_ALLOWED)


async def test_an_administrator_acts_for_the_owner_that_it_names(
    registrar: Registrar, owner: IssuedKey
) -> None:
    async def protect(**parameters: str) -> httpx.Response:
        return await registrar.call("POST", "/v1/images", files={"file": GOOD}, params=parameters)

    problem = refused_with(await protect(), 422, ProblemCode.INVALID_REQUEST)
    assert "owner_id" in problem.detail
    refused_with(await protect(owner_id="nobody"), 404, ProblemCode.NOT_FOUND)
    assert owner.owner_id
    assert image_of(await protect(owner_id=owner.owner_id)).owner_id == owner.owner_id
    other = await registrar.owner("Agency South")
    answer = await registrar.call(
        "POST",
        "/v1/images",
        key=other.secret,
        files={"file": GOOD},
        params={"owner_id": owner.owner_id},
    )
    refused_with(answer, 403, ProblemCode.NOT_ALLOWED)


async def test_a_key_is_shown_once_and_can_be_revoked(
    registrar: Registrar, owner: IssuedKey, db: Database
) -> None:
    second = await registrar.call(
        "POST", f"/v1/owners/{owner.owner_id}/keys", key=owner.secret, json={"note": "laptop"}
    )
    issued = IssuedKey.model_validate_json(second.content)
    listed = await registrar.call("GET", f"/v1/owners/{owner.owner_id}/keys", key=owner.secret)
    keys = Page[Key].model_validate_json(listed.content).items
    assert [key.id for key in keys] == [issued.id, owner.id]
    assert issued.secret not in listed.text
    assert issued.secret not in json.dumps(
        [document async for document in db[Collection.API_KEYS].find()], default=str
    )
    gone = await registrar.call("DELETE", f"/v1/keys/{owner.id}", key=issued.secret)
    assert gone.status_code == 204
    answer = await registrar.call("GET", "/v1/images", key=owner.secret)
    refused_with(answer, 401, ProblemCode.NOT_AUTHENTICATED)
    answer = await registrar.call("GET", "/v1/keys", key=issued.secret)
    revoked = Page[Key].model_validate_json(answer.content).items[1]
    assert revoked.revoked_at is not None
    other = await registrar.owner("Agency South")
    answer = await registrar.call("DELETE", f"/v1/keys/{issued.id}", key=other.secret)
    refused_with(answer, 404, ProblemCode.NOT_FOUND)


async def test_keys_without_an_owner_are_for_those_who_run_the_system(
    registrar: Registrar, owner: IssuedKey
) -> None:
    made = image_of(await registrar.protect(GOOD, owner))
    answer = await registrar.call("POST", "/v1/keys", json={"scopes": ["reviewer"]})
    reviewer = IssuedKey.model_validate_json(answer.content)
    assert reviewer.owner_id is None
    path = f"/v1/images/{made.id}"
    assert image_of(await registrar.call("GET", path, key=reviewer.secret)) == made
    answer = await registrar.call("DELETE", path, key=reviewer.secret)
    refused_with(answer, 403, ProblemCode.NOT_ALLOWED)
    answer = await registrar.call("POST", "/v1/keys", json={})
    refused_with(answer, 422, ProblemCode.INVALID_REQUEST)
    answer = await registrar.call(
        "POST", f"/v1/owners/{owner.owner_id}/keys", json={"scopes": ["owner", "admin"]}
    )
    refused_with(answer, 422, ProblemCode.INVALID_REQUEST)
    answer = await registrar.call("POST", "/v1/owners/nobody/keys", json={})
    refused_with(answer, 404, ProblemCode.NOT_FOUND)


async def test_an_owner_is_made_once_for_an_idempotency_key(registrar: Registrar) -> None:
    once = {"Idempotency-Key": "owner-1"}
    first, second = [
        await registrar.call("POST", "/v1/owners", json={"name": "A"}, headers=once)
        for _ in range(2)
    ]
    assert first.json() == second.json()
    answer = await registrar.call("POST", "/v1/owners", json={"name": "B"}, headers=once)
    refused_with(answer, 422, ProblemCode.IDEMPOTENCY_KEY_REUSED)
    listed = await registrar.call("GET", "/v1/owners")
    (owner,) = Page[Owner].model_validate_json(listed.content).items
    assert owner.name == "A"
