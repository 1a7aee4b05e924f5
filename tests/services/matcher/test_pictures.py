"""Pictures of matches: the matcher asks its neighbours, of whom the last one draws for real."""

from collections.abc import AsyncIterator
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from fastapi import FastAPI, Request, Response
from numpy.typing import NDArray

from services.matcher.main import create_app
from services.matcher.reviews.pictures import comparison_of
from services.matcher.settings import Settings
from srpitp_contracts.comparisons import PictureKind
from srpitp_contracts.identifiers import match_id
from srpitp_contracts.matching import Alignment, Verification
from srpitp_contracts.names import Collection
from srpitp_contracts.registration import Scope
from srpitp_servicekit.mongo import Database
from tests.keys import ADMIN_KEY, SERVICE_KEY, add_key, bearer
from tests.services import images
from tests.services.matcher.matches import found
from tests.services.matcher.world import ORIGINAL, Neighbours, World
from tests.serving import Running

PHOTO = images.photo(4)
COPY = np.ascontiguousarray(PHOTO[60:420, 80:560])
MISSING = {"title": "Not Found", "status": 404, "detail": "The file is lost.", "code": "not_found"}


class Files:
    """The files that registration and the crawler keep."""

    def __init__(self) -> None:
        self.kept = {"images": images.png(PHOTO), "detected": images.jpeg(COPY)}

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.get("/v1/{kind}/{id_}/file")
        async def file(kind: str, id_: str, request: Request) -> Response:
            assert request.headers["Authorization"] == f"Bearer {SERVICE_KEY}"
            if kind in self.kept:
                return Response(self.kept[kind])
            body = httpx.Response(404, json={"type": "about:blank", **MISSING}).content
            return Response(body, 404, media_type="application/problem+json")

        @app.put("/{path:path}")
        async def take(path: str) -> dict[str, Any]:
            return {}

        return app


@pytest.fixture
def files() -> Files:
    return Files()


@pytest.fixture
async def drawing(
    files: Files,
    db: Database,
    running: Running,
    fingerprint_address: str,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[World]:
    """A matcher, with a match in which the copy is a part of the photo."""
    async with running(files.app()) as url:
        for service in ("CRAWLER", "NOTIFICATION", "REGISTRATION"):
            monkeypatch.setenv(f"SRPITP_{service}_URL", url)
        monkeypatch.setenv("SRPITP_FINGERPRINT_URL", fingerprint_address)
        async with (
            running(create_app(Settings())) as matcher,
            httpx.AsyncClient(base_url=matcher, headers=bearer(ADMIN_KEY), timeout=30) as http,
        ):
            world = World(http, db, Neighbours())
            await world.ready()
            await world.protect("photo", ORIGINAL)
            [id_] = await world.tell("detected", await world.detect("copy", ORIGINAL))
            await db[Collection.MATCHES].update_one(
                {"owner_id": "owner", "_id": id_},
                {"$set": {"verification": seen(alignment()).model_dump()}},
            )
            yield world


def alignment(*, mirrored: bool = False) -> Alignment:
    return Alignment(
        transform=((0.75, 0, 0.125), (0, 0.75, 0.125)),
        mirrored=mirrored,
        inliers=40,
        overlap=0.56,
        agreement=0.9,
    )


def seen(aligned: Alignment | None, orientation: str = "identity") -> Verification:
    return Verification(
        protected_view="whole",
        detected_view="whole",
        orientation=orientation,
        negative=False,
        sketch_distance=0,
        nearness=0,
        points=0,
        score=9,
        alignment=aligned,
    )


async def picture(world: World, kind: str | None = None, key: str = ADMIN_KEY) -> httpx.Response:
    [match] = (await world.http.get("/v1/matches")).json()["items"]
    params = {"kind": kind} if kind else {}
    path = f"/v1/matches/{match['id']}/picture"
    return await world.http.get(path, params=params, headers=bearer(key))


def pixels(answer: httpx.Response) -> NDArray[Any]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    return np.asarray(cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR))


async def test_both_are_shown_where_they_are_the_same(drawing: World) -> None:
    drawn = pixels(await picture(drawing))
    left, right = (drawn[10:-10, at].astype(int) for at in (slice(10, 710), slice(742, 1442)))
    assert drawn.shape == (540, 1452, 3)
    assert np.abs(left - right).mean() < 4
    assert pixels(await picture(drawing, "difference"))[10:-10, 10:-10].mean() < 12
    assert pixels(await picture(drawing, "whole")).shape[1] == 1452
    assert pixels(await picture(drawing, "overlay")).shape == (540, 720, 3)


async def test_an_owner_sees_its_own(drawing: World) -> None:
    keys = {owner: await add_key(drawing.db, owner, Scope.OWNER) for owner in ("owner", "another")}
    assert (await picture(drawing, key=keys["owner"])).status_code == 200
    assert (await picture(drawing, key=keys["another"])).status_code == 404


async def test_a_file_that_is_gone_is_said(drawing: World, files: Files) -> None:
    files.kept.pop("detected")
    answer = await picture(drawing)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert "The file is lost." in answer.json()["detail"]


async def test_a_file_that_cannot_be_read_harms_nobody(drawing: World, files: Files) -> None:
    files.kept["detected"] = images.png_bomb()
    answer = await picture(drawing)
    assert (answer.status_code, answer.json()["code"]) == (422, "image_too_many_pixels")
    files.kept["detected"] = images.jpeg(COPY)
    assert (await picture(drawing)).status_code == 200


async def test_there_is_no_picture_of_nothing(drawing: World) -> None:
    path = f"/v1/matches/{match_id('a', 'b')}/picture"
    assert (await drawing.http.get(path)).status_code == 404
    assert (await picture(drawing, "sculpture")).status_code == 422


def test_how_the_copy_is_laid() -> None:
    kind = PictureKind.WHOLE
    exact = comparison_of(found(sure=True), kind)
    assert (exact.orientation, exact.transform) == ("identity", ((1, 0, 0), (0, 1, 0)))
    near = found().model_copy(update={"verification": seen(None, "rot180")})
    assert comparison_of(near, kind).orientation == "rot180"
    flipped = found().model_copy(update={"verification": seen(alignment(mirrored=True), "rot180")})
    laid = comparison_of(flipped, kind)
    assert (laid.orientation, laid.transform[0]) == ("hflip", (0.75, 0, 0.125))
