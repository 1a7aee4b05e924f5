"""Compare detected images with all protected ones: ``python -m spark.match_job --run ID``.

Everything else is in the run's document and in the environment (see `spark.settings`).
"""

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from spark.jobs import Task, collected, main
from spark.matching import match_batches
from spark.outcome import Outcome
from spark.ranges import cut, packed
from spark.reading import Piece, pieces
from spark.settings import Settings
from spark.shards import open_protected
from spark.store import Store, in_force, in_some, open_store
from spark.sweep import Sweep
from srpitp_contracts.matching import MatchingMode
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import Collection
from srpitp_contracts.runs import Run
from srpitp_matching import DETECTED_FIELDS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# The nearest some hundred of each part are kept until a better one comes: that is paid for each.
_MOST_SHARDS = 8

__all__ = ["match", "plan", "task_of", "wanted_images"]


def plan(run: Run, store: Store, settings: Settings) -> Sweep:
    """Decide how the protected images are divided, and as of when they are protected."""
    moment = utc_now()

    def is_more_than(limit: int) -> bool:
        return store.is_more_than(Collection.PROTECTED, in_force(moment), limit)

    has_points = not is_more_than(settings.match_points_limit)
    is_paper = settings.matching_mode is MatchingMode.PAPER
    by_tags = is_paper or is_more_than(settings.match_tags_from)
    counts = store.counts(Collection.PROTECTED)
    # Points are shared out among images that have them in common: only one part sees them all.
    total = sum(counts.values())
    size = total + 1 if has_points else max(settings.spark_shard_images, total // _MOST_SHARDS)
    shards = tuple(tuple(shard) for shard in packed(counts, size))
    return Sweep(run.id, run.attempts, settings, moment, shards, has_points, by_tags, run.all_tags)


def wanted_images(run: Run) -> dict[str, Any]:
    """Return what finds the detected images that a run looks at."""
    condition: dict[str, Any] = {}
    if run.since is not None:
        condition["first_seen"] = {"$gte": run.since}
    if run.tags:
        among = {"$in": list(run.tags)}
        condition["$or"] = [{"tag": among}, {"tags.tag": among}]
    return condition


def match(spark: "SparkSession", run: Run, store: Store, settings: Settings) -> Outcome:
    """Match all images of a run, and write what is found."""
    sweep = plan(run, store, settings)
    detected = pieces(
        Collection.DETECTED,
        cut(store.counts(Collection.DETECTED), settings.spark_task_images),
        condition=wanted_images(run),
        fields=DETECTED_FIELDS,
    )
    try:
        return collected(spark, detected, task_of(sweep))
    finally:
        shutil.rmtree(sweep.folder, ignore_errors=True)  # where executors are on this machine


def task_of(sweep: Sweep) -> Task:
    """Return what matches the images of a piece."""

    def task(piece: Piece) -> Iterator[Outcome]:
        with open_store(sweep.address) as store:
            batches = in_some(piece.documents(store), sweep.settings.spark_batch_images)
            yield from match_batches(batches, lambda: open_protected(store, sweep), store, sweep)

    return task


if __name__ == "__main__":
    main("Compare detected images with all protected ones.", match)
