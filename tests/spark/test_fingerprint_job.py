"""The fingerprint job on local[2], with real images in a blob store."""

import asyncio
import os
from pathlib import Path
from typing import Any

import cv2
import pytest

from spark import fingerprint_job
from spark.describing import Describer, NotDescribedError, running_describer
from spark.outcome import Outcome
from spark.settings import Settings
from spark.store import Document, Store
from srpitp_contracts.claims import claims_of, digest_claim
from srpitp_contracts.fingerprints import Purpose
from srpitp_contracts.names import Collection
from srpitp_contracts.runs import RunKind
from srpitp_fingerprint import FP_VERSION, Description, describe
from srpitp_servicekit.blobs import BlobKind, BlobStore
from tests.spark.pictures import World, altered

BROKEN = b"\x89PNG\r\n\x1a\n" + b"no picture" * 20


def png(seed: int, how: str = "same") -> bytes:
    picture = cv2.cvtColor(altered(seed, how), cv2.COLOR_GRAY2BGR)
    return cv2.imencode(".png", picture)[1].tobytes()


def put(settings: Settings, kind: BlobKind, data: bytes) -> str:
    return asyncio.run(BlobStore(settings.data_dir).put(kind, data))


@pytest.fixture
def stored(world: World, settings: Settings) -> dict[str, Document]:
    """Images as they were written before descriptions were, and one that is up to date."""
    documents = {}
    for seed, name in enumerate(("old", "older", "current")):
        data = png(seed)
        description = describe(data)
        known = description if name == "current" else Description(description.extraction)
        documents[name] = world.protect(
            name,
            known,
            "scenic",
            storage_address=put(settings, BlobKind.PROTECTED, data),
            **({"fp_version": 0, "views": []} if name == "older" else {}),
        )
    data = png(0, "collage")
    documents["found"] = world.detect(
        "found",
        Description(describe(data).extraction),
        evidence={"storage_address": put(settings, BlobKind.EVIDENCE, data), "status": 200},
    )
    return documents


def run(spark: Any, world: World, settings: Settings, **request: Any) -> Outcome:
    run = world.store.run(world.run(RunKind.FINGERPRINT, **request))
    assert run is not None
    return fingerprint_job.describe_anew(spark, run, world.store, settings)


def of(store: Store, name: Collection, document: Document) -> Document:
    found = store.collection(name).find_one({"_id": document["_id"]})
    assert found is not None
    return found


def description_of(store: Store, document: Document) -> Description:
    packed = of(store, Collection.DESCRIPTIONS, document)["packed"]
    return Description.from_bytes(packed)


def test_what_is_not_described_is_described(
    spark: Any, stored: dict[str, Document], world: World, settings: Settings
) -> None:
    outcome = run(spark, world, settings)
    counts = outcome.counts
    assert (counts.images, counts.refreshed, counts.errors) == (4, 3, 0), outcome
    for name in ("old", "older"):
        image = of(world.store, Collection.PROTECTED, stored[name])
        description = description_of(world.store, image)
        assert image["fp_version"] == FP_VERSION
        assert [view["fingerprint"] for view in image["views"]] == [
            view.fingerprint for view in description.extraction.views
        ]
        assert description.features is not None
        assert image["tag"] == "scenic"
        assert image["tags"] != stored[name]["tags"]
        assert image["updated_at"] > stored[name]["updated_at"]
    found = of(world.store, Collection.DETECTED, stored["found"])
    assert found["panels"]
    assert description_of(world.store, found).mirrored is not None
    current = of(world.store, Collection.PROTECTED, stored["current"])
    assert current["tags"] == stored["current"]["tags"]
    assert run(spark, world, settings, tags=["scenic", "people"]).counts.refreshed == 0


def test_bad_images_are_named_and_fail_nothing(
    spark: Any, stored: dict[str, Document], world: World, settings: Settings
) -> None:
    bare = Description(describe(png(7)).extraction)
    address = put(settings, BlobKind.PROTECTED, BROKEN)
    broken = world.protect("broken", bare, storage_address=address)
    gone = world.protect("gone", bare, storage_address=f"protected/{'0' * 64}")
    other = world.protect("other", bare, storage_address=stored["old"]["storage_address"])
    world.protect("fingerprints only", bare, storage_address=None)
    outcome = run(spark, world, settings)
    assert (outcome.counts.refreshed, outcome.counts.errors) == (3, 3)
    said = {one.image_id: one.error for one in outcome.faults}
    assert "image_unsupported" in said[broken["_id"]] or "image_broken" in said[broken["_id"]]
    assert "not there any more" in said[gone["_id"]]
    assert "another image" in said[other["_id"]]


def test_an_image_that_goes_meanwhile_gets_no_description(
    world: World, stored: dict[str, Document]
) -> None:
    old = stored["old"]
    key = {"tag": old["tag"], "_id": old["_id"]}
    world.store.collection(Collection.PROTECTED).update_one(key, {"$set": {"status": "deleted"}})
    assert not world.store.describe(Collection.PROTECTED, old, {"quality": 0.5}, b"packed")
    assert world.store.described([old["_id"]]) == set()


def claim(world: World, name: str, image_id: str) -> str:
    registry = world.store.collection(Collection.REGISTRY)
    registry.insert_one({"_id": name, "image_id": image_id})
    return name


def test_claims_are_those_of_the_new_version(
    spark: Any, stored: dict[str, Document], world: World, settings: Settings
) -> None:
    old, older = stored["old"], stored["older"]
    registry = world.store.collection(Collection.REGISTRY)
    protected = world.store.collection(Collection.PROTECTED)
    for image in (old, older):
        digest = digest_claim(image["digest"])
        claims = [claim(world, one, image["_id"]) for one in (digest, f"fingerprint:{digest}")]
        key = {"tag": image["tag"], "_id": image["_id"]}
        protected.update_one(key, {"$set": {"claims": claims}})
    taken = claims_of(describe(png(0)).extraction)[1]
    claim(world, taken, "another image")
    run(spark, world, settings)
    wanted = claims_of(describe(png(1)).extraction)
    [kept] = protected.find({"_id": older["_id"]})
    assert kept["claims"] == wanted
    [kept] = protected.find({"_id": old["_id"]})
    assert kept["claims"] == [digest_claim(old["digest"])]
    held = {one["_id"]: one["image_id"] for one in registry.find()}
    assert held == {
        **dict.fromkeys(wanted, older["_id"]),
        digest_claim(old["digest"]): old["_id"],
        taken: "another image",
    }


def test_a_decoder_that_dies_takes_nothing_along(settings: Settings, tmp_path: Path) -> None:
    tight = settings.model_copy(update={"fingerprint_time_limit_seconds": 30.0})
    with running_describer(tight) as describer:
        first = describer.describe(png(1), Purpose.PROTECTED)
        kill(describer)
        assert describer.describe(png(1), Purpose.PROTECTED).packed == first.packed
        with pytest.raises(NotDescribedError, match="image_"):
            describer.describe(BROKEN, Purpose.PROTECTED)
    with (
        running_describer(
            tight.model_copy(update={"fingerprint_time_limit_seconds": 1e-6})
        ) as describer,
        pytest.raises(NotDescribedError, match="took longer"),
    ):
        describer.describe(png(1), Purpose.PROTECTED)


def kill(describer: Describer) -> None:
    child = describer._child
    assert child is not None
    os.kill(child.pid, 9)
    child.wait()
