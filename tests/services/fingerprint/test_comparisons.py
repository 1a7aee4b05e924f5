"""Two images drawn by the fingerprint service: hostile ones, and for services only."""

import json
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from srpitp_contracts.comparisons import ComparisonRequest, Orientation
from srpitp_contracts.problems import ProblemCode
from srpitp_fingerprint import ORIENTATIONS
from tests.keys import SERVICE_KEY, bearer
from tests.services import images
from tests.services.registration.registering import refused_with

PHOTO = images.photo()
GOOD = images.jpeg(PHOTO)


async def compare(
    address: str, detected: bytes = GOOD, protected: bytes = GOOD, **wanted: Any
) -> httpx.Response:
    headers = bearer(wanted.pop("key", SERVICE_KEY))
    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=60) as client:
        return await client.post(
            "/v1/comparisons",
            files={"detected": detected, "protected": protected},
            data={"request": json.dumps(wanted)} if wanted else {},
        )


def picture_of(answer: httpx.Response) -> NDArray[Any]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/jpeg"
    picture = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(picture)


def test_the_contract_knows_the_orientations_of_the_library() -> None:
    assert Orientation.__args__ == ORIENTATIONS  # type: ignore[attr-defined]
    assert ComparisonRequest().transform == ((1, 0, 0), (0, 1, 0))


async def test_both_are_drawn(fingerprint_address: str) -> None:
    drawn = picture_of(await compare(fingerprint_address))
    assert drawn.shape == (540, 720 + 12 + 720, 3)
    left, right = drawn[:, :720].astype(int), drawn[:, -720:].astype(int)
    assert np.abs(left - right).mean() < 3


async def test_a_mirrored_part_is_laid_where_it_was(fingerprint_address: str) -> None:
    copy = np.ascontiguousarray(PHOTO[120:360, 160:480][:, ::-1])
    wanted: dict[str, Any] = {
        "kind": "difference",
        "orientation": "hflip",
        "transform": [[0.5, 0, 0.25], [0, 0.5, 0.25]],
    }
    aligned = picture_of(await compare(fingerprint_address, images.png(copy), **wanted))
    wrong = picture_of(await compare(fingerprint_address, images.png(copy), kind="difference"))
    assert aligned.mean() < wrong.mean() / 4


async def test_the_largest_drawing_fits_into_an_answer(fingerprint_address: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (720, 720, 3), dtype=np.uint8)
    data = images.jpeg(noise, 95)
    assert picture_of(await compare(fingerprint_address, data, data)).shape == (720, 1452, 3)


async def test_for_services_only(fingerprint_address: str) -> None:
    refused_with(
        await compare(fingerprint_address, key="srpitp_nobody"), 401, ProblemCode.NOT_AUTHENTICATED
    )


@pytest.mark.parametrize(
    ("broken", "status", "code"),
    [
        (images.TEXT, 415, ProblemCode.IMAGE_UNSUPPORTED),
        (b"", 422, ProblemCode.IMAGE_EMPTY),
        (images.png_bomb(), 422, ProblemCode.IMAGE_TOO_MANY_PIXELS),
    ],
)
@pytest.mark.parametrize("place", ["detected", "protected"])
async def test_what_cannot_be_read_is_refused(
    fingerprint_address: str, place: str, broken: bytes, status: int, code: ProblemCode
) -> None:
    refused_with(await compare(fingerprint_address, **{place: broken}), status, code)
    picture_of(await compare(fingerprint_address))


@pytest.mark.parametrize(
    "wanted",
    [
        {"kind": "anything"},
        {"transform": [[float("nan"), 0, 0], [0, 1, 0]]},
        {"transform": [[1, 0], [0, 1]]},
        {"orientation": "upside down"},
    ],
)
async def test_what_cannot_be_drawn_is_refused(fingerprint_address: str, wanted: Any) -> None:
    answer = await compare(fingerprint_address, **wanted)
    refused_with(answer, 422, ProblemCode.INVALID_REQUEST)


async def test_both_files_are_needed(fingerprint_address: str) -> None:
    async with httpx.AsyncClient(
        base_url=fingerprint_address, headers=bearer(SERVICE_KEY), timeout=60
    ) as client:
        answer = await client.post("/v1/comparisons", files={"detected": GOOD})
    assert "'protected'" in refused_with(answer, 422, ProblemCode.INVALID_REQUEST).detail
