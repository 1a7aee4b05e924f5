"""The match job on local[2], over a real MongoDB."""

from datetime import timedelta
from typing import Any

import pytest

from spark import match_job
from spark.outcome import Outcome
from spark.settings import Settings
from spark.store import Store
from srpitp_contracts.runs import Run
from tests.spark.pictures import NOW, World, described

COPIES = {("p0", "d0"), ("p1", "d1"), ("p2", "d2"), ("p3", "d3")}


@pytest.fixture
def seen(world: World) -> World:
    """Twelve photos of three owners; copies of some of them, and strangers."""
    for seed in range(12):
        tags = [("people",), ("animal", "people"), ("scenic",)][seed % 3]
        world.protect(f"p{seed}", described(seed), *tags, owner_id=f"owner-{seed % 3}")
    for seed, how, tags in (
        (0, "same", ("people",)),
        (1, "brighter", ("animal",)),
        (2, "cropped", ("scenic", "other")),
        (3, "flipped", ("other", "people")),
        (4, "brighter", ("scenic",)),  # no tag in common with its original
        (5, "stranger", ("scenic",)),
        (6, "plain", ("people",)),
    ):
        world.detect(f"d{seed}", described(seed, how, detected=True), *tags)
    return world


def match(spark: Any, store: Store, settings: Settings, run_id: str) -> Outcome:
    return match_job.match(spark, run_of(store, run_id), store, settings)


def run_of(store: Store, run_id: str) -> Run:
    run = store.run(run_id)
    assert run is not None
    return run


def found(world: World) -> set[tuple[str, str]]:
    """List the pairs that were found, by the names of both."""
    return {
        (match["protected_title"].split()[1], match["image_address"].split("/")[-1][:-4])
        for match in world.matches()
    }


def test_copies_are_found_and_noted(
    spark: Any, seen: World, store: Store, settings: Settings
) -> None:
    outcome = match(spark, store, settings, seen.run())
    assert found(seen) == COPIES
    counts = outcome.counts
    assert (counts.images, counts.matches, counts.new_matches, counts.errors) == (7, 4, 4, 0)
    assert counts.pairs > 0
    assert all(one["untold"] for one in seen.matches())
    assert seen.states() == [("matched", False)] * 4 + [("searched", True)] * 3


def test_nothing_is_found_where_nothing_is_stored(
    spark: Any, world: World, store: Store, settings: Settings
) -> None:
    assert match(spark, store, settings, world.run()) == Outcome()


def test_again_it_comes_to_the_same(
    spark: Any, seen: World, store: Store, settings: Settings
) -> None:
    run_id = seen.run()
    match(spark, store, settings, run_id)
    before = seen.matches()
    later = match(spark, store, settings, run_id)
    assert seen.matches() == before
    assert (later.counts.matches, later.counts.new_matches) == (4, 0)


def test_a_sweep_over_all_tags_tells_what_tags_lost(
    spark: Any, seen: World, store: Store, settings: Settings
) -> None:
    outcome = match(spark, store, settings, seen.run(all_tags=True))
    assert found(seen) == COPIES | {("p4", "d4")}
    assert outcome.counts.lost_by_tags == 1


def test_tags_hide_nothing_while_few_are_protected(
    spark: Any, seen: World, store: Store, settings: Settings
) -> None:
    usual = settings.model_copy(update={"match_tags_from": 12})
    outcome = match(spark, store, usual, seen.run())
    assert found(seen) == COPIES | {("p4", "d4")}
    assert outcome.counts.lost_by_tags == 0


def test_a_run_may_look_at_some_images_only(
    spark: Any, seen: World, store: Store, settings: Settings
) -> None:
    seen.detect("d7", described(7, "same", detected=True), first_seen=NOW - timedelta(days=9))
    since = NOW - timedelta(days=1)
    outcome = match(spark, store, settings, seen.run(tags=["people"], since=since))
    assert outcome.counts.images == 3
    assert found(seen) == {("p0", "d0"), ("p3", "d3")}


def test_many_parts_find_what_one_finds(
    spark: Any, seen: World, store: Store, settings: Settings
) -> None:
    few = settings.model_copy(
        update={"spark_shard_images": 3, "match_points_limit": 5, "spark_batch_images": 2}
    )
    outcome = match(spark, store, few, seen.run())
    assert found(seen) == COPIES
    assert outcome.counts.images == 7
