"""What a photo may be sent as, and what is refused."""

import hashlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Response

from srpitp_contracts.names import Collection
from srpitp_contracts.problems import ProblemCode
from srpitp_contracts.registration import IssuedKey
from srpitp_servicekit.mongo import Database
from tests.services import images
from tests.services.registration.registering import Registrar, files_in, image_of, refused_with
from tests.serving import Running

PHOTO = images.photo()
GOOD = images.jpeg(PHOTO)


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
