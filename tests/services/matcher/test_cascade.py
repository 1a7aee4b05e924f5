"""The whole cascade through the matcher, with real photos: fingerprints, then local features."""

import asyncio
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from services.matcher.search.store import ImageStore
from srpitp_contracts.identifiers import match_id
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import UNTAGGED, Collection
from srpitp_fingerprint import Description, describe
from tests.keys import SERVICE_KEY, bearer
from tests.services.images import Pixels, jpeg, real_photo
from tests.services.matcher.world import World

CAT, CUP, WOMAN, ROCKET = "chelsea.png", "coffee.png", "astronaut.png", "rocket.jpg"


@pytest.fixture
def _real_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """As an operator has them who sets nothing."""
    monkeypatch.setenv("SRPITP_ALARM_BUDGET", "1")


@pytest.fixture
def _fingerprints(monkeypatch: pytest.MonkeyPatch, fingerprint_address: str) -> None:
    monkeypatch.setenv("SRPITP_FINGERPRINT_URL", fingerprint_address)


@pytest.fixture
def _many_protected(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if so many were protected that only those with a tag in common are compared."""
    monkeypatch.setenv("SRPITP_MATCH_TAGS_FROM", "0")


@pytest.fixture
def _little_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRPITP_MATCH_SECONDS", "1.5")


pytestmark = pytest.mark.usefixtures("_real_budgets")


def views(description: Description) -> dict[str, Any]:
    of = description.extraction
    return {
        "digest": of.digest,
        "textureless": of.textureless,
        "profile": of.profile,
        "fp_version": of.fp_version,
        "views": [
            {"name": v.name, "fingerprint": v.fingerprint, "sketch": v.sketch} for v in of.views
        ],
    }


def panels(description: Description) -> list[dict[str, Any]]:
    return [
        {**views(panel), "width": panel.extraction.width, "height": panel.extraction.height}
        for panel in description.panels
    ]


async def protect(
    world: World, name: str, pixels: Pixels, packed: bytes | None = None, **changes: Any
) -> str:
    described = describe(jpeg(pixels))
    await store(world, name, described.to_bytes() if packed is None else packed)
    return await world.protect(name, b"", **{**views(described), **changes})


async def detect(
    world: World, name: str, pixels: Pixels, packed: bytes | None = None, **changes: Any
) -> str:
    described = describe(jpeg(pixels, 70), detected=True)
    found = {**views(described), "panels": panels(described), **changes}
    id_ = await world.detect(name, b"", **found)
    await store(world, id_, described.to_bytes() if packed is None else packed)
    return id_


async def store(world: World, id_: str, packed: bytes) -> None:
    await world.db[Collection.DESCRIPTIONS].replace_one(
        {"_id": id_}, {"packed": packed}, upsert=True
    )


def part(pixels: Pixels) -> Pixels:
    """Some third of a photo, which no fingerprint finds."""
    rows, columns = pixels.shape[:2]
    return np.ascontiguousarray(pixels[rows // 4 : -rows // 8, columns // 5 : -columns // 5])


async def test_a_confident_match_needs_no_reviewer(world: World) -> None:
    for file in (CAT, CUP, WOMAN):
        await protect(world, file.split(".")[0], real_photo(file))
    small = real_photo(CAT)[::2, ::2]
    [found] = await world.tell("detected", await detect(world, "copy", small))
    match = await world.match(found)
    assert (match["verdict"], match["state"]) == ("similar", "confirmed")
    assert match["decided_by"] == "rule:confident"
    assert match["verification"]["nearness"] < match["threshold"]
    await world.settled()
    assert len(world.neighbours.alerts) == 1


async def test_a_part_is_found_by_its_local_features_and_aligned(world: World) -> None:
    cat = real_photo(CAT)
    await protect(world, "cat", cat)
    await protect(world, "cup", real_photo(CUP))
    flipped = np.ascontiguousarray(part(cat)[:, ::-1])
    [found] = await world.tell("detected", await detect(world, "part", flipped))
    match = await world.match(found)
    assert (match["protected_id"], match["state"]) == ("cat", "confirmed")
    aligned = match["verification"]["alignment"]
    assert aligned["mirrored"]
    assert aligned["inliers"] > 20
    left = np.array(aligned["transform"]) @ [0, 0.5, 1]
    assert left[0] == pytest.approx(0.2, abs=0.02)


async def test_a_photo_of_a_collage_is_found(world: World) -> None:
    await protect(world, "cat", real_photo(CAT))
    cup = real_photo(CUP)[: real_photo(CAT).shape[0]]
    both = np.hstack([real_photo(CAT), cup])
    [found] = await world.tell("detected", await detect(world, "collage", both))
    assert (await world.match(found))["protected_id"] == "cat"


async def test_strangers_are_no_matches(world: World) -> None:
    await protect(world, "cat", real_photo(CAT))
    for file in (CUP, WOMAN, ROCKET):
        assert await world.tell("detected", await detect(world, file[:4], real_photo(file))) == []


@pytest.mark.parametrize("broken", ["protected", "detected"])
async def test_a_broken_description_leaves_the_fingerprint(
    world: World, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    cat = real_photo(CAT)
    hostile = b"SRFD\x02" + bytes(range(256)) * 40
    await protect(world, "cat", cat, hostile if broken == "protected" else None)
    packed = hostile if broken == "detected" else None
    near = await detect(world, "near", cat[3:-3, 4:-4], packed)
    far = await detect(world, "far", part(cat), packed)
    [found] = await world.tell("detected", near)
    assert (await world.match(found))["state"] == "confirmed"
    assert await world.tell("detected", far) == []
    assert "its description is broken" in caplog.text


async def test_a_late_registration_is_matched_as_an_early_one(world: World) -> None:
    cat = real_photo(CAT)
    copies = {
        "small": cat[::2, ::2],
        "flipped": np.ascontiguousarray(cat[:, ::-1]),
        "cropped": cat[20:-20, 30:-30],
        "same": cat,
    }
    ids = {name: await detect(world, name, pixels) for name, pixels in copies.items()}
    await detect(world, "stranger", real_photo(CUP))
    assert await world.tell("detected", ids["small"]) == []
    await protect(world, "cat", cat)
    found = set(await world.tell("protected", "cat"))
    assert found == {match_id("cat", id_) for id_ in ids.values()}
    for name, id_ in ids.items():
        late = await world.match(match_id("cat", id_))
        assert await world.tell("detected", id_) == [late["id"]]
        assert late["state"] == "confirmed", name


@pytest.mark.usefixtures("_many_protected")
async def test_tags_in_common_make_pairs_meet(world: World) -> None:
    def tags(*names: str) -> list[dict[str, Any]]:
        return [{"tag": name, "confidence": 0.4} for name in names]

    cat = real_photo(CAT)
    await protect(world, "cat", cat, tag="animal", tags=tags("animal", "people"))
    late = {}
    for name, of in {"meets": ("scenic", "people"), "misses": ("scenic", "other")}.items():
        image = await detect(world, name, cat[::2, ::2], tags=tags(*of))
        late[name] = image
        assert bool(await world.tell("detected", image)) == (name == "meets")
    [found] = await tell_protected(world, "cat", "animal")
    match = await world.match(found)
    assert (match["detected_id"], match["tag"]) == (late["meets"], "people")


async def test_few_images_meet_whatever_their_tags(world: World) -> None:
    cat = real_photo(CAT)
    await protect(world, "cat", cat, tag="animal", tags=[{"tag": "animal", "confidence": 1}])
    tags = [{"tag": "scenic", "confidence": 1}]
    image = await detect(world, "landscape", cat[::2, ::2], tags=tags)
    found = [match_id("cat", image)]
    assert await world.tell("detected", image) == found
    assert await tell_protected(world, "cat", "animal") == found


async def tell_protected(world: World, id_: str, tag: str) -> list[str]:
    answer = await world.http.put(
        f"/v1/protected/{id_}", json={"tag": tag}, headers=bearer(SERVICE_KEY)
    )
    matches: list[str] = answer.json()["matches"]
    return matches


@pytest.mark.usefixtures("_little_time")
async def test_an_image_that_takes_too_long_is_asked_for_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    cat = real_photo(CAT)
    await protect(world, "cat", cat)
    image = await detect(world, "part", part(cat))
    read = ImageStore.descriptions

    async def slowly(self: ImageStore, ids: list[str]) -> dict[str, bytes]:
        if ids == ["cat"]:
            await asyncio.sleep(60)
        return await read(self, ids)

    monkeypatch.setattr(ImageStore, "descriptions", slowly)
    answer = await world.http.put(
        f"/v1/detected/{image}", json={"tag": UNTAGGED}, headers=bearer(SERVICE_KEY)
    )
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    monkeypatch.setattr(ImageStore, "descriptions", read)
    assert await world.tell("detected", image) == [match_id("cat", image)]


async def test_protection_that_ends_during_the_comparison_is_no_match(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    cat = real_photo(CAT)
    await protect(world, "cat", cat)
    facts, cat_key = ImageStore.facts, {"tag": UNTAGGED, "_id": "cat"}

    async def later(self: ImageStore, ids: Any) -> Any:
        over = {"protected_until": utc_now() - timedelta(seconds=1)}
        await world.db[Collection.PROTECTED].update_one(cat_key, {"$set": over})
        return await facts(self, ids)

    monkeypatch.setattr(ImageStore, "facts", later)
    assert await world.tell("detected", await detect(world, "copy", cat)) == []


@pytest.mark.usefixtures("_fingerprints")
async def test_search_keeps_nothing(world: World) -> None:
    cat = real_photo(CAT)
    await protect(world, "cat", cat, tag="animal", tags=[{"tag": "animal", "confidence": 1}])
    await protect(world, "cup", real_photo(CUP), owner_id="other")
    for body in ({"content": jpeg(part(cat))}, {"files": {"file": ("a.jpg", jpeg(part(cat)))}}):
        answer = await world.http.post("/v1/search", **body)
        assert answer.status_code == 200, answer.text
        result = answer.json()
        assert result["compared"] == 2
        [candidate] = result["candidates"]
        assert (candidate["protected_id"], candidate["confident"]) == ("cat", True)
        assert candidate["verification"]["alignment"]["inliers"] > 20
    refused = await world.http.post("/v1/search", content=b"no image")
    assert (refused.status_code, refused.json()["code"]) == (415, "image_unsupported")
    assert await world.db[Collection.MATCHES].count_documents({}) == 0
    assert await world.db[Collection.DETECTED].count_documents({}) == 0


async def test_thresholds_follow_what_is_protected(world: World) -> None:
    await protect(world, "cat", real_photo(CAT))
    await world.tell("protected", "cat")
    one = (await world.http.get("/v1/thresholds")).json()
    for number in range(40):
        await world.protect(f"photo-{number}", bytes([number]) * 180)
    await world.tell("protected", "photo-0")
    many = (await world.http.get("/v1/thresholds")).json()
    assert (one["protected_images"], many["protected_images"]) == (1, 41)
    assert one["preset"] == "budget"
    assert many["alarm"]["tight"] < one["alarm"]["tight"]
    assert many["alarm"]["bar"] > one["alarm"]["bar"]
    assert many["alarm"]["tight"] < many["review"]["tight"]
    refused = await world.http.get("/v1/thresholds", headers=bearer(SERVICE_KEY))
    assert refused.status_code == 403


@pytest.mark.usefixtures("_many_protected")
async def test_metrics_say_what_was_compared_and_found(world: World) -> None:
    cat = real_photo(CAT)
    await protect(world, "cat", cat)
    await protect(world, "cup", real_photo(CUP), tag="scenic", tags=[])
    await world.tell("detected", await detect(world, "part", part(cat)))
    told = (await world.http.get("/metrics")).text.splitlines()
    values = dict(line.rsplit(" ", 1) for line in told if not line.startswith("#"))
    assert values["srpitp_index_images"] == "2.0"
    assert float(values["srpitp_index_age_seconds"]) < 60
    assert float(values["srpitp_pairs_compared_total"]) >= 8
    assert values['srpitp_matches_found_total{state="confirmed",verdict="similar"}'] == "1.0"
    assert values['srpitp_scanned_share_bucket{le="0.5"}'] == "1.0"
    assert values['srpitp_match_seconds_count{stage="verify"}'] == "1.0"
    assert values["srpitp_reviews_waiting"] == "0.0"
    assert values["srpitp_matches_lost_by_tags"] == "NaN"
    assert "srpitp_outbox_waiting" in values
