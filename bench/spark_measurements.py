"""What is measured of the Spark jobs, and of one process without Spark.

Each measures itself with the clock that it is given, and returns how much it did: pairs, images,
rows.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from spark_cost import Clock

from spark import fingerprint_job, match_job
from spark.jobs import collected
from spark.outcome import Outcome
from spark.ranges import cut
from spark.reading import Piece, pieces
from spark.settings import Settings
from spark.shards import build, open_protected
from spark.store import Address, Store, in_some, open_store
from srpitp_contracts.identifiers import random_id
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import Collection
from srpitp_contracts.runs import (
    LauncherName,
    Run,
    RunCounts,
    RunKind,
    RunReason,
    RunRequest,
    new_run,
)
from srpitp_fingerprint import THRESHOLDS, Slab, extract, search
from srpitp_matching import DESCRIBED_FIELDS
from srpitp_matching.paper import PaperGallery

__all__ = ["ALONE", "JOBS", "warm"]

# Workers cannot import this module: what tasks take of it are values.
_ASKED: dict[str, Any] = {"k": 100, "max_distance": THRESHOLDS["paper"], "metric": "plain"}
_WRITTEN_AT_ONCE = 1000


def run_of(store: Store, kind: RunKind, images: int) -> Run:
    """Make a run over the last so many detected images; over all, if 0."""
    found = store.collection(Collection.DETECTED)
    since = None
    if kind is RunKind.MATCH and 0 < images < found.estimated_document_count():
        [first] = found.find().sort("first_seen", -1).skip(images - 1).limit(1)
        since = first["first_seen"]
    request = RunRequest(kind=kind, since=since)
    run = new_run(random_id(), request, RunReason.REQUEST, LauncherName.LOCAL, utc_now())
    return run.model_copy(update={"attempts": 1})


def warm(spark: Any, tasks: int) -> None:
    """Have Python workers started: the last part of a start."""
    rows = spark.range(0, tasks, 1, tasks)
    _expect(rows.mapInArrow(lambda batches: batches, "id long").count(), tasks)


def _expect(count: int, wanted: int) -> None:
    """Stop where a job did not do what is measured."""
    if count != wanted:
        raise RuntimeError(f"{count} were done, not {wanted}")


def match_whole(spark: Any, store: Store, settings: Settings, images: int, clock: Clock) -> int:
    """Match as a run does, from the database to the database."""
    run = run_of(store, RunKind.MATCH, images)
    with clock.running():
        outcome = match_job.match(spark, run, store, settings)
    _expect(outcome.counts.images, images)
    print(outcome.counts, file=sys.stderr)
    return outcome.counts.pairs


def match_kernel(spark: Any, store: Store, settings: Settings, images: int, clock: Clock) -> int:
    """Do no more than the comparison, under Spark: files are mapped, fingerprints lie there."""
    run = run_of(store, RunKind.MATCH, images)
    sweep = match_job.plan(run, store, settings)
    open_protected(store, sweep)
    tasks = -(-images // settings.spark_task_images)
    rows = spark.range(0, images, 1, tasks)

    def task(batches: Any) -> Any:
        with open_store(sweep.address) as own:
            parts = open_protected(own, sweep).parts
        random = np.random.default_rng(1)
        for batch in batches:
            queries = random.integers(0, 256, (batch.num_rows, 180), np.uint8)
            for part in parts:
                for group in part._groups.values():
                    if isinstance(group.gallery, PaperGallery):
                        search(group.gallery.slab, queries, **_ASKED)
            yield batch

    with clock.running():
        _expect(rows.mapInArrow(task, "id long").count(), images)
    return images * store.collection(Collection.PROTECTED).estimated_document_count()


def describe_whole(spark: Any, store: Store, settings: Settings, images: int, clock: Clock) -> int:
    """Describe images as a run does, from the blob store to the database."""
    store.collection(Collection.PROTECTED).update_many({}, {"$set": {"fp_version": 0}})
    with clock.running():
        outcome = fingerprint_job.describe_anew(
            spark, run_of(store, RunKind.FINGERPRINT, images), store, settings
        )
    _expect(outcome.counts.refreshed, images)
    return images


def read_prints(spark: Any, store: Store, settings: Settings, images: int, clock: Clock) -> int:
    """Read all protected fingerprints and lay them out, as the tasks of a match run do."""
    sweep = match_job.plan(run_of(store, RunKind.MATCH, images), store, settings)
    parts = cut(store.counts(Collection.PROTECTED), settings.spark_shard_images)
    asked = pieces(Collection.PROTECTED, parts, condition={}, fields=DESCRIBED_FIELDS)

    def task(piece: Piece) -> Iterator[Outcome]:
        with open_store(sweep.address) as own:
            pictures = build(own, [piece.part], sweep)
        yield Outcome(counts=RunCounts(images=len(pictures), pairs=pictures.views))

    with clock.running():
        outcome = collected(spark, asked, task)
    return outcome.counts.pairs


def write_states(spark: Any, store: Store, settings: Settings, images: int, clock: Clock) -> int:
    """Advance the state of every detected image, from the executors."""
    address = Address.of(settings)
    parts = cut(store.counts(Collection.DETECTED), settings.spark_task_images)
    asked = pieces(Collection.DETECTED, parts, condition={}, fields=("_id", "tag"))

    def task(piece: Piece) -> Iterator[Outcome]:
        with open_store(address) as own:
            for some in in_some(piece.documents(own), _WRITTEN_AT_ONCE):
                ids = [document["_id"] for document in some]
                own.note_compared({"other": ids}, set(ids[::100]), utc_now())
                yield Outcome(counts=RunCounts(images=len(ids)))

    with clock.running():
        return collected(spark, asked, task).counts.images


JOBS: dict[str, Callable[..., int]] = {
    "match": match_whole,
    "kernel": match_kernel,
    "describe": describe_whole,
    "read": read_prints,
    "states": write_states,
}


# The same by one process, without Spark.


def kernel_alone(store: Store, settings: Settings, images: int, clock: Clock) -> int:
    """Compare as many fingerprints, and nothing else."""
    count = store.collection(Collection.PROTECTED).estimated_document_count()
    random, slab = np.random.default_rng(1), Slab()
    for start in range(0, count, 65_536):
        slab.append(random.integers(0, 256, (min(65_536, count - start), 180), np.uint8))
    queries = random.integers(0, 256, (images, 180), np.uint8)
    search(slab, queries[:4], **_ASKED)
    with clock.running():
        for start in range(0, images, 1024):
            search(slab, queries[start : start + 1024], **_ASKED)
    return images * count


def extract_alone(store: Store, settings: Settings, images: int, clock: Clock) -> int:
    """Extract paper fingerprints of the files, one after the other."""
    found = store.collection(Collection.PROTECTED).find().limit(images)
    files = [settings.data_dir / _file(document["storage_address"]) for document in found]
    with clock.running():
        for file in files:
            extract(file.read_bytes(), profile="paper", views="K1")
    return len(files)


def _file(address: str) -> Path:
    kind, digest = address.split("/")
    return Path(kind, digest[:2], digest)


def fetch_alone(store: Store, settings: Settings, images: int, clock: Clock) -> int:
    """Read protected documents as they come, undecoded."""
    rows = 0
    with clock.running():
        for part in cut(store.counts(Collection.PROTECTED), settings.spark_shard_images):
            raws = store.raw_batches(Collection.PROTECTED, part, {}, DESCRIBED_FIELDS)
            rows += sum(1 for raw in raws for _ in _starts(raw))
    return rows


def _starts(raw: bytes) -> Iterator[int]:
    at = 0
    while at < len(raw):
        yield at
        at += int.from_bytes(raw[at : at + 4], "little")


def find_alone(store: Store, settings: Settings, images: int, clock: Clock) -> int:
    """Read protected documents as dictionaries."""
    projection = dict.fromkeys(DESCRIBED_FIELDS, 1)
    with clock.running():
        return sum(1 for _ in store.collection(Collection.PROTECTED).find({}, projection))


ALONE: dict[str, Callable[..., int]] = {
    "kernel": kernel_alone,
    "describe": extract_alone,
    "read": fetch_alone,
    "find": find_alone,
}
