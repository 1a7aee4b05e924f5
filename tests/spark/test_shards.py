"""Protected images that are read as arrays are those that are read one by one."""

import logging
from collections.abc import Iterable
from typing import Any

import bson
import pytest

from spark import match_job
from spark.settings import Settings
from spark.shards import build
from spark.store import Store
from srpitp_contracts.matching import MatchingMode
from srpitp_contracts.names import Collection
from srpitp_fingerprint import Description
from srpitp_matching import Pictures, picture_of
from tests.spark.pictures import World, described, of_the_paper, views_of

PHOTOS = 8


def out_of_the_ordinary(of: Description) -> dict[str, dict[str, Any]]:
    """Changes by which a document is not as most are."""
    views = views_of(of)
    return {
        "usual": {},
        "other version": {"fp_version": 99},
        "other profile": {"profile": "none"},
        "no version": {"fp_version": None},
        "no views": {"views": []},
        "one view": {"views": views[:1]},
        "no sketch": {"views": [{k: v[k] for k in ("name", "fingerprint")} for v in views]},
        "textureless": {"textureless": True},
        "more tags": {"tags": [{"tag": tag, "confidence": 0.1} for tag in ("scenic", "animal")]},
        "other id": {"_id": "f" * 31 + "-"},
        "capitals": {"digest": of.extraction.digest.upper()},
        "short print": {"views": [{**views[0], "fingerprint": b"x"}]},
        "no name": {"views": [{"fingerprint": views[0]["fingerprint"], "sketch": b"x" * 32}]},
        "digest of none": {"digest": "x" * 64},
        "rare type": {"textureless": bson.Regex("x")},
    }


def sweep_over(store: Store, world: World, settings: Settings) -> Any:
    run = store.run(world.run())
    assert run is not None
    return match_job.plan(run, store, settings)


def readable(store: Store, settings: Settings) -> Iterable[Any]:
    for document in store.collection(Collection.PROTECTED).find().sort("_id"):
        try:
            yield picture_of(document, profile=settings.fingerprint_profile)
        except (KeyError, TypeError, ValueError):
            continue


def held(pictures: Pictures) -> dict[str, Any]:
    """List all that is kept of each image, by its id."""
    found: dict[str, Any] = {}
    for tags, group in pictures._groups.items():
        gallery: Any = group.gallery
        for place in range(gallery.places):
            kept: Any = gallery.slab.rows([place]).tobytes() if hasattr(gallery, "slab") else None
            if kept is None:
                views = gallery._views_of(gallery._live.values.nonzero()[0][[place]])[0]
                kept = (
                    [gallery.name(view) for view in views],
                    gallery._slab.rows(views).tobytes(),
                    gallery._sketches.values[views].tobytes(),
                    gallery.textureless(place),
                    gallery._digests._keys.values[place],
                    gallery._digest_rest.values[place],
                    gallery._fingerprints._keys.values[place],
                )
            found[group.ids[place]] = (sorted(tags), kept)
    return found


@pytest.mark.parametrize("mode", [MatchingMode.STANDARD, MatchingMode.PAPER])
def test_arrays_hold_what_is_read_one_by_one(
    world: World,
    store: Store,
    settings: Settings,
    mode: MatchingMode,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = settings.model_copy(update={"matching_mode": mode, "match_points_limit": 0})
    paper = mode is MatchingMode.PAPER
    kinds = list(out_of_the_ordinary(described(0)))
    for kind in kinds:
        for seed in range(3):
            of = of_the_paper(seed) if paper else described(seed)
            changes = out_of_the_ordinary(of)[kind]
            if "_id" in changes:
                changes = {"_id": f"{seed}{changes['_id'][1:]}"}
            world.protect(f"{kind} {seed}", of, "people", **changes)
    sweep = sweep_over(store, world, settings)
    with caplog.at_level(logging.ERROR):
        stacked = build(store, [part for shard in sweep.shards for part in shard], sweep)
    one_by_one = Pictures(mode, points_limit=0, by_tags=sweep.by_tags)
    one_by_one.extend(readable(store, settings))
    assert held(stacked) == held(one_by_one)
    assert (len(stacked), stacked.views) == (len(one_by_one), one_by_one.views)
    unreadable = sum("cannot be looked for" in one.getMessage() for one in caplog.records)
    assert len(stacked) + unreadable == 3 * len(kinds)
    assert unreadable == 9
