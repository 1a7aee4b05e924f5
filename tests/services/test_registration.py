"""The registration service over HTTP, with a real fingerprint service behind it."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Response

from services.registration.main import create_app
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import Collection
from srpitp_contracts.pages import Page
from srpitp_contracts.problems import ProblemCode
from srpitp_contracts.registration import IssuedKey, Key, Owner, ProtectedImage
from srpitp_fingerprint import describe
from srpitp_servicekit.mongo import Database
from tests.mongodb import SERVICE_KEY
from tests.services import images
from tests.services.conftest import Running
from tests.services.registering import Registrar, image_of, refused_with, registrar_at

PHOTO = images.photo()
GOOD = images.jpeg(PHOTO)


@pytest.fixture
async def registrar(
    environment: dict[str, str],
    fingerprint_address: str,
    running: Running,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Registrar]:
    monkeypatch.setenv("SRPITP_FINGERPRINT_URL", fingerprint_address)
    async with running(create_app()) as address, registrar_at(address) as registrar:
        yield registrar


@pytest.fixture
async def owner(registrar: Registrar) -> IssuedKey:
    return await registrar.owner()


def files_in(environment: dict[str, str]) -> list[Path]:
    folder = Path(environment["SRPITP_DATA_DIR"])
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_typical_journey(
    registrar: Registrar, owner: IssuedKey, db: Database, environment: dict[str, str]
) -> None:
    made = image_of(await registrar.protect(GOOD, owner, title="Harbour at dawn"))
    assert made.owner_id == owner.owner_id
    assert made.title == "Harbour at dawn"
    assert made.digest == hashlib.sha256(GOOD).hexdigest()
    assert (made.width, made.height, made.format) == (640, 480, "jpeg")
    assert made.tag == made.tags[0].tag
    assert made.protected_until is None
    assert made.created_at <= utc_now()

    call = registrar.call
    listed = await call("GET", "/v1/images", key=owner.secret)
    assert Page[ProtectedImage].model_validate_json(listed.content).items == [made]
    assert image_of(await call("GET", f"/v1/images/{made.id}", key=owner.secret)) == made
    file = await call("GET", f"/v1/images/{made.id}/file", key=owner.secret)
    assert (file.content, file.headers["content-type"]) == (GOOD, "image/jpeg")

    document = await db[Collection.PROTECTED].find_one({"_id": made.id})
    assert document
    described = describe(GOOD)
    assert document["views"] == [
        {"name": view.name, "fingerprint": view.fingerprint, "sketch": view.sketch}
        for view in described.extraction.views
    ]
    assert await db[Collection.DESCRIPTIONS].find().to_list(None) == [
        {"_id": made.id, "packed": described.to_bytes()}
    ]

    assert (await call("DELETE", f"/v1/images/{made.id}", key=owner.secret)).status_code == 204
    for path in (f"/v1/images/{made.id}", f"/v1/images/{made.id}/file"):
        answer = await call("GET", path, key=owner.secret)
        refused_with(answer, 404, ProblemCode.NOT_FOUND)
    tombstone = await db[Collection.PROTECTED].find_one({"_id": made.id})
    assert tombstone
    assert (tombstone["status"], tombstone["views"]) == ("deleted", [])
    assert tombstone["updated_at"] > made.updated_at
    assert files_in(environment) == []
    for collection in (Collection.REGISTRY, Collection.DESCRIPTIONS):
        assert await db[collection].count_documents({}) == 0
    assert image_of(await registrar.protect(GOOD, owner)).id != made.id


async def test_a_photo_is_protected_once_whoever_asks(
    registrar: Registrar, owner: IssuedKey, environment: dict[str, str]
) -> None:
    first = image_of(await registrar.protect(images.png(PHOTO), owner, title="Harbour"))
    other = await registrar.owner("Agency South")
    same_pixels = images.png_with_alpha(PHOTO)
    for data in (images.png(PHOTO), same_pixels):
        for key in (owner, other):
            answer = await registrar.protect(data, key)
            problem = refused_with(answer, 409, ProblemCode.ALREADY_PROTECTED)
            assert "protected already" in problem.detail
            for secret in (first.id, first.owner_id, "Harbour", "Northlight"):
                assert secret not in answer.text
    assert len(files_in(environment)) == 1


async def test_of_registrations_at_the_same_time_one_is_taken(
    registrar: Registrar, owner: IssuedKey, db: Database
) -> None:
    other = await registrar.owner("Agency South")
    versions = [images.png(PHOTO), images.png_with_alpha(PHOTO)] * 4
    answers = await asyncio.gather(
        *(registrar.protect(data, key) for data in versions for key in (owner, other))
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 15
    (kept,) = [image_of(answer) for answer in answers if answer.is_success]
    claims = [claim async for claim in db[Collection.REGISTRY].find()]
    assert len(claims) == 2
    assert {claim["image_id"] for claim in claims} == {kept.id}
    assert await db[Collection.PROTECTED].count_documents({}) == 1
    file = await registrar.call("GET", f"/v1/images/{kept.id}/file", key=owner.secret)
    if file.is_success:
        assert hashlib.sha256(file.content).hexdigest() == kept.digest


async def test_plain_images_are_told_apart_by_their_bytes(
    registrar: Registrar, owner: IssuedKey
) -> None:
    for data in (images.png(images.plain()), images.jpeg(images.plain())):
        made = image_of(await registrar.protect(data, owner))
        assert made.textureless
        assert "too plain" in made.notes[0]
        refused_with(await registrar.protect(data, owner), 409, ProblemCode.ALREADY_PROTECTED)


async def test_deleting_and_registering_at_the_same_time_keeps_the_file(
    registrar: Registrar, owner: IssuedKey
) -> None:
    async def call(method: str, path: str) -> httpx.Response:
        return await registrar.call(method, path, key=owner.secret)

    made = image_of(await registrar.protect(GOOD, owner))
    for _ in range(10):
        answers = await asyncio.gather(
            call("DELETE", f"/v1/images/{made.id}"),
            call("DELETE", f"/v1/images/{made.id}"),
            *(registrar.protect(GOOD, owner) for _ in range(4)),
        )
        assert [answer.status_code for answer in answers[:2]] == [204, 204]
        taken = [image_of(answer) for answer in answers[2:] if answer.is_success]
        assert len(taken) <= 1
        made = taken[0] if taken else image_of(await registrar.protect(GOOD, owner))
        assert (await call("GET", f"/v1/images/{made.id}/file")).content == GOOD


async def test_the_matcher_is_told_of_an_image_and_of_each_change_of_its_period(
    registrar: Registrar, owner: IssuedKey, db: Database
) -> None:
    made = image_of(await registrar.protect(GOOD, owner))
    begins = utc_now() + timedelta(days=2)
    change = {"protected_from": begins.isoformat()}
    path = f"/v1/images/{made.id}"
    changed = image_of(await registrar.call("PATCH", path, key=owner.secret, json=change))
    assert changed.updated_at > made.updated_at
    first, second = [document async for document in db[Collection.OUTBOX].find().sort("created_at")]
    assert (first["to"], first["path"]) == ("matcher", f"/v1/protected/{made.id}")
    assert first["body"] == {"tag": made.tag}
    assert second["key"] != first["key"]
    assert second["due_at"] == begins  # nothing can match before


async def test_a_period_can_be_changed_field_by_field(
    registrar: Registrar, owner: IssuedKey
) -> None:
    now = utc_now()
    made = image_of(
        await registrar.protect(GOOD, owner, protected_until=(now + timedelta(days=9)).isoformat())
    )

    async def change(**fields: str | None) -> httpx.Response:
        return await registrar.call("PATCH", f"/v1/images/{made.id}", key=owner.secret, json=fields)

    begins = now - timedelta(days=1)
    changed = image_of(await change(protected_from=begins.isoformat()))
    assert (changed.protected_from, changed.protected_until) == (begins, made.protected_until)
    changed = image_of(await change(protected_until=None))
    assert (changed.protected_from, changed.protected_until) == (begins, None)
    too_early = (begins - timedelta(days=1)).isoformat()
    refused_with(await change(protected_until=too_early), 422, ProblemCode.INVALID_REQUEST)
    kept = await registrar.call("GET", f"/v1/images/{made.id}", key=owner.secret)
    assert image_of(kept) == changed


async def test_an_end_in_the_past_is_refused(registrar: Registrar, owner: IssuedKey) -> None:
    answer = await registrar.protect(GOOD, owner, protected_until="2020-01-01T00:00:00Z")
    problem = refused_with(answer, 422, ProblemCode.INVALID_REQUEST)
    assert "past" in problem.detail


async def test_a_request_that_is_sent_again_makes_nothing_new(
    registrar: Registrar, owner: IssuedKey
) -> None:
    once = {"Idempotency-Key": "upload-1"}
    first, second = await asyncio.gather(
        registrar.protect(GOOD, owner, once), registrar.protect(GOOD, owner, once)
    )
    assert image_of(first) == image_of(second)
    again = await registrar.protect(GOOD, owner, once)
    assert image_of(again) == image_of(first)
    for data, title in ((images.TEXT, ""), (GOOD, "another title")):
        answer = await registrar.protect(data, owner, once, title=title)
        refused_with(answer, 422, ProblemCode.IDEMPOTENCY_KEY_REUSED)
    other = await registrar.owner("Agency South")
    answer = await registrar.protect(GOOD, other, once)
    refused_with(answer, 409, ProblemCode.ALREADY_PROTECTED)
    await registrar.call("DELETE", f"/v1/images/{image_of(first).id}", key=owner.secret)
    refused_with(await registrar.protect(GOOD, owner, once), 409, ProblemCode.CONFLICT)


async def test_images_are_listed_page_by_page(registrar: Registrar, owner: IssuedKey) -> None:
    made = [
        image_of(await registrar.protect(images.jpeg(images.photo(seed)), owner)).id
        for seed in range(5)
    ]
    found: list[str] = []
    parameters: dict[str, Any] = {"limit": 2}
    while True:
        answer = await registrar.call("GET", "/v1/images", key=owner.secret, params=parameters)
        page = Page[ProtectedImage].model_validate_json(answer.content)
        found += [image.id for image in page.items]
        if page.next_cursor is None:
            break
        parameters["cursor"] = page.next_cursor
    assert found == made[::-1]


BAD: dict[str, tuple[Callable[[], bytes], int, ProblemCode]] = {
    "empty": (lambda: b"", 422, ProblemCode.IMAGE_EMPTY),
    "text": (lambda: images.TEXT, 415, ProblemCode.IMAGE_UNSUPPORTED),
    "truncated": (lambda: images.truncated(GOOD), 422, ProblemCode.IMAGE_BROKEN),
    "bomb": (images.png_bomb, 422, ProblemCode.IMAGE_TOO_MANY_PIXELS),
    "60 MB": (lambda: bytes(60_000_000), 413, ProblemCode.IMAGE_TOO_LARGE),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_image_is_refused_and_nothing_is_kept(
    registrar: Registrar,
    owner: IssuedKey,
    db: Database,
    environment: dict[str, str],
    name: str,
) -> None:
    make, status, code = BAD[name]
    problem = refused_with(await registrar.protect(make(), owner), status, code)
    assert problem.detail
    for collection in (Collection.PROTECTED, Collection.REGISTRY, Collection.OUTBOX):
        assert await db[collection].count_documents({}) == 0
    assert files_in(environment) == []
    image_of(await registrar.protect(GOOD, owner))


@pytest.mark.parametrize(
    "save",
    [
        images.cmyk_jpeg,
        images.png_of_16_bits,
        images.png_with_alpha,
        images.jpeg_turned_by_exif,
        lambda photo: images.animated_gif([photo, images.photo(1)]),
        lambda photo: images.png(photo[:1, :1]),
    ],
)
async def test_an_odd_image_is_taken(
    registrar: Registrar, owner: IssuedKey, save: Callable[[images.Pixels], bytes]
) -> None:
    data = save(PHOTO)
    made = image_of(await registrar.protect(data, owner))
    file = await registrar.call("GET", f"/v1/images/{made.id}/file", key=owner.secret)
    assert file.content == data
    assert bool(made.notes) == (made.format == "gif" or made.textureless)


async def test_a_wrong_request_is_refused_field_by_field(
    registrar: Registrar, owner: IssuedKey
) -> None:
    answer = await registrar.protect(GOOD, owner, protected_from="soon", colour="red")
    problem = refused_with(answer, 422, ProblemCode.INVALID_REQUEST)
    assert problem.errors
    assert [error.field for error in problem.errors] == ["body.protected_from", "body.colour"]
    wrong: list[dict[str, Any]] = [
        {"json": {"name": ""}},
        {"json": {"name": "A", "age": 3}},
        {"json": ["A"]},
        {"content": b"{", "headers": {"Content-Type": "application/json"}},
        {"content": b"\xff\xfe", "headers": {"Content-Type": "application/json"}},
    ]
    for options in wrong:
        refusal = await registrar.call("POST", "/v1/owners", **options)
        assert refusal.status_code in (400, 422), refusal.text
        refused_with(refusal, refusal.status_code, ProblemCode.INVALID_REQUEST)
    for options in ({"json": {}}, {"content": GOOD}, {"files": {"photo": GOOD}}):
        refusal = await registrar.call("POST", "/v1/images", key=owner.secret, **options)
        refused_with(refusal, 422, ProblemCode.INVALID_REQUEST)


async def test_a_stranger_cannot_make_us_read_much(registrar: Registrar) -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(60):
            yield b"[" * 2**20

    for path in ("/v1/owners", "/v1/keys"):
        for content in (b"[" * 2**25, body()):
            headers = {"Authorization": "", "Content-Type": "application/json"}
            try:
                answer = await registrar.call("POST", path, headers=headers, content=content)
            except httpx.NetworkError:
                continue  # it hung up on the rest before we had read its answer
            assert answer.status_code == 413
    answer = await registrar.call("POST", "/v1/images", headers={"Authorization": ""}, content=b"x")
    refused_with(answer, 401, ProblemCode.NOT_AUTHENTICATED)


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


@pytest.fixture
async def website(running: Running) -> AsyncIterator[str]:
    app = FastAPI()

    @app.get("/photo.jpg")
    async def photo() -> Response:
        return Response(GOOD, media_type="image/jpeg")

    @app.get("/page")
    async def page() -> Response:
        return Response("<html></html>", media_type="text/html")

    @app.get("/endless")
    async def endless() -> Response:
        return Response(bytes(60_000_000), media_type="image/jpeg")

    async with running(app) as address:
        yield address


async def test_an_image_is_registered_by_its_address(
    registrar: Registrar, owner: IssuedKey, website: str
) -> None:
    async def protect(address: str, **headers: str) -> httpx.Response:
        return await registrar.call(
            "POST",
            "/v1/images",
            key=owner.secret,
            json={"address": address, "title": "Harbour"},
            headers=headers,
        )

    address = f"{website}/photo.jpg"
    once = {"Idempotency-Key": "address-1"}
    made = image_of(await protect(address, **once))
    assert (made.source_address, made.title) == (address, "Harbour")
    assert made.digest == hashlib.sha256(GOOD).hexdigest()
    assert image_of(await protect(address, **once)) == made
    refused_with(await protect(address), 409, ProblemCode.ALREADY_PROTECTED)
    refused = {
        "/page": (415, ProblemCode.IMAGE_UNSUPPORTED),
        "/nothing": (422, ProblemCode.ADDRESS_UNREACHABLE),
        "/endless": (422, ProblemCode.ADDRESS_UNREACHABLE),
    }
    for path, (status, code) in refused.items():
        refused_with(await protect(website + path), status, code)
    refused_with(await protect("http://10.0.0.1/"), 422, ProblemCode.ADDRESS_REFUSED)
    refused_with(await protect("file:///etc/passwd"), 422, ProblemCode.INVALID_REQUEST)


async def test_the_openapi_document_says_what_the_routes_take(registrar: Registrar) -> None:
    document = (await registrar.call("GET", "/openapi.json")).json()
    form = document["paths"]["/v1/images"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert set(form["schema"]["properties"]) == {
        "file",
        "title",
        "protected_from",
        "protected_until",
    }
    for path, methods in document["paths"].items():
        for method in methods.values():
            assert method["summary"], path
