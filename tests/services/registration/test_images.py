"""Protected images over HTTP: registered once, kept, changed, deleted."""

import asyncio
import hashlib
from datetime import timedelta
from typing import Any

import httpx

from srpitp_contracts.model import utc_now
from srpitp_contracts.names import Collection
from srpitp_contracts.pages import Page
from srpitp_contracts.problems import ProblemCode
from srpitp_contracts.registration import IssuedKey, ProtectedImage
from srpitp_fingerprint import describe
from srpitp_servicekit.mongo import Database
from tests.services import images
from tests.services.registration.registering import (
    Registrar,
    files_in,
    image_of,
    refused_with,
)

PHOTO = images.photo()
GOOD = images.jpeg(PHOTO)


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
