"""The job and the live engine find the same, whatever the protected and detected images are."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.matcher.measures import Measures
from services.matcher.search.matching import Matching
from services.matcher.search.store import ImageStore
from services.matcher.settings import Settings as MatcherSettings
from spark import match_job
from spark.matching import match_batches
from spark.settings import Settings
from spark.shards import Protected, build
from spark.store import Document, Store
from srpitp_contracts.matching import Match, MatchingMode
from srpitp_contracts.names import Collection
from srpitp_servicekit.metrics import Metrics
from srpitp_servicekit.mongo import Database, to_document
from tests.deadlines import eventually
from tests.spark.pictures import ALTERATIONS, NOW, World, described, of_the_paper

TAGS = ("people", "animal", "scenic")
PERIODS: dict[str, dict[str, Any]] = {
    "in force": {},
    "deleted": {"status": "deleted", "views": []},
    "expired": {"protected_until": NOW - timedelta(hours=1)},
    "not yet": {"protected_from": NOW + timedelta(days=1)},
    "soon over": {"protected_until": NOW + timedelta(days=1)},
}
PHOTOS, OWNERS = 6, 3

tag_sets = st.lists(st.sampled_from(TAGS), min_size=1, max_size=3, unique=True)
protected_images = st.tuples(
    st.integers(0, PHOTOS - 1),
    st.sampled_from(["same", "same", "brighter", "plain"]),
    tag_sets,
    st.sampled_from([*PERIODS, "in force", "in force"]),
    st.integers(0, OWNERS - 1),
)
detected_images = st.tuples(st.integers(0, PHOTOS - 1), st.sampled_from(ALTERATIONS), tag_sets)


def fill(world: World, protected: Any, detected: Any, mode: MatchingMode) -> None:
    paper = mode is MatchingMode.PAPER
    for number, (seed, how, tags, period, owner) in enumerate(protected):
        of = of_the_paper(seed, how) if paper else described(seed, how)
        changes = {"owner_id": f"owner-{owner}", **PERIODS[period]}
        world.protect(f"p{number}", of, *tags, **changes)
    for number, (seed, how, tags) in enumerate(detected):
        of = of_the_paper(seed, how) if paper else described(seed, how, detected=True)
        world.detect(f"d{number}", of, *tags)


async def live(db: Database, documents: list[Document], options: dict[str, Any]) -> list[Match]:
    """What the matcher itself finds for each detected image."""
    settings = MatcherSettings(**options, match_seconds=60)
    matching = Matching(ImageStore(db), settings, Measures(Metrics()))

    async def is_ready() -> bool:
        return matching.index.unready() is None

    async with matching.index.running():
        await eventually(is_ready, seconds=90)
        return [
            match
            for one in documents
            for match in (await matching.of_detected(one["_id"], one["tag"])).matches
        ]


def by_job(store: Store, run_id: str, options: Settings) -> None:
    """What a task does, in this process."""
    run = store.run(run_id)
    assert run is not None
    sweep = match_job.plan(run, store, options)
    parts = tuple(build(store, shard, sweep) for shard in sweep.shards)
    rules = options.budgets.rules(sum(map(len, parts)), sum(part.views for part in parts))
    documents = list(store.collection(Collection.DETECTED).find())
    list(match_batches([documents], lambda: Protected(parts, rules), store, sweep))


def said(document: Document) -> Document:
    """What a match says, apart from when it was found."""
    when = ("created_at", "decided_at", "untold", "history")
    return {name: value for name, value in document.items() if name not in when}


@pytest.mark.parametrize(
    ("mode", "points_limit", "tags_from"),
    [
        (MatchingMode.STANDARD, 20_000, 20_000),
        (MatchingMode.STANDARD, 20_000, 0),
        (MatchingMode.STANDARD, 2, 4),
        (MatchingMode.PAPER, 20_000, 20_000),
    ],
    ids=["points", "points by tags", "fingerprints", "paper"],
)
@given(
    protected=st.lists(protected_images, max_size=9),
    detected=st.lists(detected_images, min_size=1, max_size=5),
)
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_both_engines_find_the_same(
    db: Database,
    store: Store,
    environment: dict[str, str],
    mode: MatchingMode,
    points_limit: int,
    tags_from: int,
    protected: Any,
    detected: Any,
) -> None:
    store.drop()
    world = World(store)
    fill(world, protected, detected, mode)
    options: dict[str, Any] = {
        "matching_mode": mode,
        "match_points_limit": points_limit,
        "match_tags_from": tags_from,
    }
    job = Settings(**options, spark_shard_images=4)
    by_job(store, world.run(), job)
    documents = list(store.collection(Collection.DETECTED).find())
    expected = await live(db, documents, options)
    stored = {match["_id"]: said(match) for match in world.matches()}
    assert stored == {match.id: said(to_document(match)) for match in expected}


def test_settings_that_both_have_are_the_same() -> None:
    theirs, ours = MatcherSettings.model_fields, Settings.model_fields
    apart = {"mongodb_timeout_seconds", "spark_master"}
    for name in (theirs.keys() & ours.keys()) - apart:
        assert theirs[name].default == ours[name].default, name
