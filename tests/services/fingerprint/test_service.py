"""The fingerprint service over HTTP: good images, odd ones, and those that mean harm."""

import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import numpy as np
import pytest

from services.fingerprint.engine import Engine
from services.fingerprint.main import create_app
from services.fingerprint.settings import Settings
from srpitp_contracts.fingerprints import Extraction
from srpitp_contracts.names import TAGS
from srpitp_contracts.problems import Problem, ProblemCode
from srpitp_fingerprint import describe, distance, extract
from srpitp_tagging import FEATURES, Head, HeadError
from tests.keys import SERVICE_KEY, bearer
from tests.services import images
from tests.serving import Running

PHOTO = images.photo()
GOOD = images.jpeg(PHOTO)
KEY = bearer(SERVICE_KEY)
NEAR = 0.15
"""Far below any threshold: the same picture, saved in another way (a GIF has 256 colours)."""


@pytest.fixture
async def client(fingerprint_address: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=fingerprint_address, headers=KEY, timeout=60) as client:
        yield client


async def post(client: httpx.AsyncClient, content: bytes) -> httpx.Response:
    return await client.post("/v1/fingerprints", content=content)


async def assert_good_image_is_taken(client: httpx.AsyncClient) -> None:
    answer = await post(client, GOOD)
    assert answer.status_code == 200, answer.text


def problem_of(answer: httpx.Response) -> Problem:
    assert answer.headers["content-type"] == "application/problem+json"
    problem = Problem.model_validate_json(answer.content)
    assert problem.status == answer.status_code
    assert problem.instance
    return problem


async def test_says_everything_that_is_read_from_an_image(client: httpx.AsyncClient) -> None:
    answer = await post(client, GOOD)
    extraction = Extraction.model_validate_json(answer.content)
    expected = describe(GOOD).extraction
    assert extraction.digest == hashlib.sha256(GOOD).hexdigest()
    assert extraction.size_bytes == len(GOOD)
    assert (extraction.width, extraction.height, extraction.format) == (640, 480, "jpeg")
    assert [(view.name, view.fingerprint, view.sketch) for view in extraction.views] == [
        (view.name, view.fingerprint, view.sketch) for view in expected.views
    ]
    assert extraction.panels == []
    assert extraction.description == describe(GOOD).to_bytes()
    assert (extraction.profile, extraction.fp_version) == ("robust", expected.fp_version)
    assert extraction.tags[0].confidence > 1 / len(TAGS)
    assert {score.tag for score in extraction.tags} <= set(TAGS)
    assert extraction.notes == []


async def test_describes_what_is_to_be_looked_for_more_closely(client: httpx.AsyncClient) -> None:
    collage = images.jpeg(np.hstack([PHOTO // 2, 255 - images.photo(7) // 2]))
    answer = await client.post("/v1/fingerprints?purpose=detected", content=collage)
    extraction = Extraction.model_validate_json(answer.content)
    expected = describe(collage, detected=True)
    assert len(expected.panels) == len(extraction.panels) == 2
    assert [view.name for view in extraction.views] == ["whole", "trimmed"]
    assert [panel.views[0].fingerprint for panel in extraction.panels] == [
        panel.extraction.views[0].fingerprint for panel in expected.panels
    ]
    assert extraction.description == expected.to_bytes()
    assert set(tags_of(answer)) <= set(TAGS)


async def test_a_collage_has_the_tags_of_each_of_its_photos(client: httpx.AsyncClient) -> None:
    photos = [images.real_photo(name)[:300, :400] for name in ("chelsea.png", "astronaut.png")]
    collage = images.jpeg(np.hstack([photos[0] // 2, 255 - photos[1] // 2]))
    parts = [images.jpeg(photos[0] // 2), images.jpeg(255 - photos[1] // 2)]
    looked_for = await client.post("/v1/fingerprints?purpose=detected", content=collage)
    of_each = [tags_of(await post(client, part))[0] for part in parts]
    assert len(Extraction.model_validate_json(looked_for.content).panels) >= 2
    assert set(of_each) <= set(tags_of(looked_for))
    answer = await client.post("/v1/fingerprints?purpose=fun", content=collage)
    assert problem_of(answer).code == ProblemCode.INVALID_REQUEST


async def test_takes_the_profile_of_the_settings(
    environment: dict[str, str], running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SRPITP_MATCHING_MODE", "paper")
    async with (
        running(create_app()) as address,
        httpx.AsyncClient(base_url=address, headers=KEY, timeout=60) as client,
    ):
        extraction = Extraction.model_validate_json((await post(client, GOOD)).content)
    assert (extraction.profile, extraction.description) == ("paper", None)
    assert (
        extraction.views[0].fingerprint
        == extract(GOOD, profile="paper", views="K1").views[0].fingerprint
    )


def tags_of(answer: httpx.Response) -> list[str]:
    return [score.tag for score in Extraction.model_validate_json(answer.content).tags]


async def test_says_what_a_photo_shows(client: httpx.AsyncClient) -> None:
    for file, tag in (("chelsea.png", "animal"), ("astronaut.png", "people")):
        photo = images.real_photo(file)
        for save in (images.jpeg, images.png_with_alpha, images.jpeg_turned_by_exif):
            assert tags_of(await post(client, save(photo)))[0] == tag


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"TAGGING": "false"}, 4),
        ({"TAG_FLOOR": "0", "TAGS_KEPT": "2"}, 2),
        ({"MATCHING_MODE": "paper", "TAG_FLOOR": "0"}, 1),
    ],
)
async def test_the_operator_says_how_many_tags_there_are(
    environment: dict[str, str],
    running: Running,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, str],
    expected: int,
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"SRPITP_{name}", value)
    async with (
        running(create_app()) as address,
        httpx.AsyncClient(base_url=address, headers=KEY, timeout=60) as client,
    ):
        assert len(tags_of(await post(client, GOOD))) == expected


async def test_a_head_of_ones_own_is_used(
    environment: dict[str, str],
    running: Running,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    weights, bias = np.zeros((2, FEATURES), np.float32), np.array([0, 1], np.float32)
    Head(("night", "day"), weights, bias).write(tmp_path / "own.npz")
    monkeypatch.setenv("SRPITP_TAG_HEAD", str(tmp_path / "own.npz"))
    async with (
        running(create_app()) as address,
        httpx.AsyncClient(base_url=address, headers=KEY, timeout=60) as client,
    ):
        assert tags_of(await post(client, GOOD)) == ["day", "night"]


def test_a_head_that_is_none_is_refused_at_the_start(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "own.npz").write_bytes(b"none")
    monkeypatch.setenv("SRPITP_TAG_HEAD", str(tmp_path / "own.npz"))
    with pytest.raises(HeadError, match=r"give a numpy \.npz"):
        Engine(Settings())


async def test_takes_a_form_as_it_takes_the_bytes(client: httpx.AsyncClient) -> None:
    large = images.png(images.photo(1, 1600, 1200))  # beyond what is kept in memory
    for content in (GOOD, large):
        form = await client.post("/v1/fingerprints", files={"file": ("photo", content)})
        assert form.status_code == 200
        assert form.json() == (await post(client, content)).json()


@pytest.mark.parametrize(
    "save",
    [
        images.png,
        images.png_with_alpha,
        images.png_of_16_bits,
        images.cmyk_jpeg,
        images.jpeg_turned_by_exif,
        lambda photo: images.animated_gif([photo, images.photo(1)]),
    ],
)
async def test_an_odd_file_has_the_fingerprint_of_its_picture(
    client: httpx.AsyncClient, save: Callable[[images.Pixels], bytes]
) -> None:
    extraction = Extraction.model_validate_json((await post(client, save(PHOTO))).content)
    assert (extraction.width, extraction.height) == (640, 480)
    plain = extract(images.png(PHOTO))
    assert distance(extraction.views[0].fingerprint, plain.views[0].fingerprint) < NEAR


async def test_says_that_an_animation_is_known_by_its_first_frame(
    client: httpx.AsyncClient,
) -> None:
    frames = [images.photo(seed, 320, 240) for seed in range(3)]
    extraction = Extraction.model_validate_json(
        (await post(client, images.animated_gif(frames))).content
    )
    assert extraction.frames == 3
    assert extraction.notes == ["The image has 3 frames; only the first one is fingerprinted."]


@pytest.mark.parametrize("pixels", [images.plain(), images.plain(1, 1)])
async def test_says_that_a_plain_image_is_too_plain(
    client: httpx.AsyncClient, pixels: images.Pixels
) -> None:
    extraction = Extraction.model_validate_json((await post(client, images.png(pixels))).content)
    assert extraction.textureless
    (note,) = extraction.notes
    assert "too plain" in note


BAD: dict[str, tuple[Callable[[], bytes], int, ProblemCode, str]] = {
    "empty": (lambda: b"", 422, ProblemCode.IMAGE_EMPTY, "send"),
    "text": (lambda: images.TEXT, 415, ProblemCode.IMAGE_UNSUPPORTED, "send"),
    "truncated": (lambda: images.truncated(GOOD), 422, ProblemCode.IMAGE_BROKEN, "whole"),
    "bomb": (images.png_bomb, 422, ProblemCode.IMAGE_TOO_MANY_PIXELS, "scaled down"),
    "60 MB": (lambda: bytes(60_000_000), 413, ProblemCode.IMAGE_TOO_LARGE, "smaller"),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_image_is_refused_with_advice(client: httpx.AsyncClient, name: str) -> None:
    make, status, code, advice = BAD[name]
    content = make()
    as_form = await client.post("/v1/fingerprints", files={"file": ("photo.jpg", content)})
    for answer in (await post(client, content), as_form):
        problem = problem_of(answer)
        assert (problem.status, problem.code) == (status, code)
        assert advice in problem.detail
    await assert_good_image_is_taken(client)


async def test_a_body_of_unknown_length_is_cut_off(client: httpx.AsyncClient) -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(60):
            yield bytes(2**20)

    answer = await client.post("/v1/fingerprints", content=body())
    assert problem_of(answer).code == ProblemCode.IMAGE_TOO_LARGE
    await assert_good_image_is_taken(client)


async def test_a_form_without_a_file_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/fingerprints", files={"photo": ("photo.jpg", GOOD)})
    assert problem_of(answer).code == ProblemCode.INVALID_REQUEST
    assert "'file'" in answer.json()["detail"]


async def test_a_form_that_is_none_is_refused(client: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = await client.post("/v1/fingerprints", content=GOOD, headers=headers)
    assert problem_of(answer).status == 400


async def test_a_stranger_is_refused_before_anything_is_read(client: httpx.AsyncClient) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield GOOD

    answer = await client.post("/v1/fingerprints", content=body(), headers={"Authorization": ""})
    assert problem_of(answer).code == ProblemCode.NOT_AUTHENTICATED


async def test_a_wrong_method_is_a_problem_too(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/fingerprints")
    assert problem_of(answer).code == ProblemCode.METHOD_NOT_ALLOWED
