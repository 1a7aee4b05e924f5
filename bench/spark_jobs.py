"""The Spark jobs beside one process: where Spark pays, what it costs, and how it grows.

Every measurement is a process of its own, so that none profits from another's warm Java. Processor
time is that of the job with all its workers; MongoDB's is told apart.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from pymongo import MongoClient
from spark_world import cpu_of, cpu_of_tree, fill, fill_photos, running_world

from spark import fingerprint_job, match_job
from spark.ranges import cut
from spark.session import open_session
from spark.settings import Settings
from spark.shards import open_protected
from spark.source import decoded, read_documents
from spark.store import Address, Store, open_store
from srpitp_contracts.identifiers import random_id
from srpitp_contracts.matching import MatchingMode
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import Collection
from srpitp_contracts.runs import LauncherName, Run, RunKind, RunReason, RunRequest, new_run
from srpitp_fingerprint import THRESHOLDS, Slab, extract, search
from srpitp_matching import DESCRIBED_FIELDS
from srpitp_matching.paper import PaperGallery

_K = 100


@dataclass(frozen=True)
class Cost:
    """What a measurement took.

    Attributes
    ----------
    what, master, images, records
    start_seconds : float
        Until Spark would begin: Java, a session, a first Python task.
    seconds : float
        From then on, by the clock.
    start_cpu_seconds, cpu_seconds, mongod_cpu_seconds : float
        Of processors.
    peak_mb : float
        Of the driver's Python and Java together.
    done : int
        Pairs, images or rows: what it was for.
    """

    what: str
    master: str
    images: int
    records: int
    start_seconds: float
    seconds: float
    start_cpu_seconds: float
    cpu_seconds: float
    mongod_cpu_seconds: float
    peak_mb: float
    done: int


class Clock:
    """Measures blocks: by the clock, and the processors of us and of MongoDB."""

    def __init__(self, uri: str) -> None:
        client: MongoClient[Any] = MongoClient(uri)
        self._mongod = int(client.admin.command("serverStatus")["pid"])
        client.close()
        self.seconds = self.cpu = self.mongod = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Measure a block, from nothing."""
        began = time.perf_counter(), cpu_of_tree(os.getpid()), cpu_of(self._mongod)
        yield
        self.seconds = time.perf_counter() - began[0]
        self.cpu = cpu_of_tree(os.getpid()) - began[1]
        self.mongod = cpu_of(self._mongod) - began[2]


def settings_of(args: argparse.Namespace) -> Settings:
    """Make the settings of a measurement."""
    mode = MatchingMode.PAPER if args.mode == "paper" else MatchingMode.STANDARD
    memory = {"spark.driver.memory": "1g", "spark.executor.memory": "1g"}
    return Settings(
        mongodb_uri=args.uri,
        mongodb_database=args.database,
        data_dir=args.work / "data",
        matching_mode=mode,
        tagging=False,  # it takes longer than all that is measured here
        spark_master=args.master,
        spark_conf={**memory, "spark.local.dir": str(args.work / "local")},
        spark_batch_images=1024,
        spark_task_images=args.task_images,
        spark_shard_images=args.shard_images,
    )


def run_of(store: Store, kind: RunKind, images: int) -> Run:
    """Make a run over the last so many detected images."""
    found = store.collection(Collection.DETECTED)
    since = None
    if kind is RunKind.MATCH and images < found.estimated_document_count():
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


def measured(args: argparse.Namespace) -> Cost:
    """Measure one thing in this process."""
    settings, clock = settings_of(args), Clock(args.uri)
    with open_store(Address.of(settings)) as store:
        records = store.collection(Collection.PROTECTED).estimated_document_count()
        if args.master == "none":
            done = ALONE[args.what](store, settings, args.images, clock)
            start = start_cpu = 0.0
        else:
            with clock.running():
                session = open_session(settings, args.what)
                spark = session.__enter__()
                warm(spark, 2)
            start, start_cpu = clock.seconds, clock.cpu
            try:
                done = JOBS[args.what](spark, store, settings, args.images, clock)
            finally:
                peak = _peak_mb(spark)
                session.__exit__(None, None, None)
    return Cost(
        args.what,
        args.master,
        args.images,
        records,
        start,
        clock.seconds,
        start_cpu,
        clock.cpu,
        clock.mongod,
        _peak_mb(None) if args.master == "none" else peak,
        done,
    )


def _peak_mb(spark: Any) -> float:
    """Give the most memory that the driver had, its Java included."""
    pids = [os.getpid()]
    if spark is not None:
        pids.append(int(spark._jvm.java.lang.ProcessHandle.current().pid()))
    peaks = [Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1] for pid in pids]
    return sum(int(peak.split()[0]) for peak in peaks) / 1024


# Jobs: each measures itself with the clock, and returns how much it did.


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
                        _scan(group.gallery.slab, queries)
            yield batch

    with clock.running():
        _expect(rows.mapInArrow(task, "id long").count(), images)
    return images * store.collection(Collection.PROTECTED).estimated_document_count()


def _scan(slab: Slab, queries: Any) -> None:
    search(slab, queries, k=_K, max_distance=THRESHOLDS["paper"], metric="plain")


def describe_whole(spark: Any, store: Store, settings: Settings, images: int, clock: Clock) -> int:
    """Describe images as a run does, from the blob store to the database."""
    store.collection(Collection.PROTECTED).update_many({}, {"$set": {"fp_version": 0}})
    with clock.running():
        outcome = fingerprint_job.describe_anew(
            spark, run_of(store, RunKind.FINGERPRINT, images), store, settings
        )
    _expect(outcome.counts.refreshed, images)
    return images


def read_rows(spark: Any, store: Store, settings: Settings, images: int, clock: Clock) -> int:
    """Read protected documents into Arrow batches, and hand each row to Python once."""
    parts = cut(store.counts(Collection.PROTECTED), settings.spark_shard_images)

    def count(batches: Any) -> Any:
        import pyarrow as pa

        for batch in batches:
            yield pa.RecordBatch.from_arrays([pa.array([batch.num_rows])], ["rows"])

    with clock.running():
        rows = read_documents(
            spark,
            Address.of(settings),
            Collection.PROTECTED,
            parts,
            condition={},
            fields=DESCRIBED_FIELDS,
        )
        lines = rows.mapInArrow(count, "rows long").collect()
    return sum(line["rows"] for line in lines)


def write_states(spark: Any, store: Store, settings: Settings, images: int, clock: Clock) -> int:
    """Advance the state of every detected image, from the executors."""
    address = Address.of(settings)
    parts = cut(store.counts(Collection.DETECTED), settings.spark_task_images)
    rows = read_documents(
        spark, address, Collection.DETECTED, parts, condition={}, fields=("_id", "tag")
    )

    def task(batches: Any) -> Any:
        with open_store(address) as own:
            for batch in batches:
                ids = [document["_id"] for document in decoded(batch)]
                own.note_compared({"other": ids}, set(ids[::100]), utc_now())
                yield batch

    with clock.running():
        return int(rows.mapInArrow(task, "document binary").count())


JOBS: dict[str, Callable[..., int]] = {
    "match": match_whole,
    "kernel": match_kernel,
    "describe": describe_whole,
    "read": read_rows,
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
    _scan(slab, queries[:4])
    with clock.running():
        for start in range(0, images, 1024):
            _scan(slab, queries[start : start + 1024])
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


@dataclass(frozen=True)
class Plan:
    """One measurement to be made."""

    what: str
    master: str
    images: int
    database: str
    mode: str = "paper"
    task_images: int = 2000
    shard_images: int = 250_000

    def measure(self, uri: str, work: Path) -> Cost:
        """Measure in a process of its own."""
        options = [f"--{name.replace('_', '-')}={value}" for name, value in asdict(self).items()]
        command = [sys.executable, __file__, "one", f"--uri={uri}", f"--work={work}", *options]
        ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
        return Cost(**json.loads(ended.stdout.splitlines()[-1]))


def plans(name: str, uri: str, work: Path, size: float) -> list[Plan]:
    """List the measurements of a kind, and make what they need."""
    if name == "fig5":
        return [
            Plan("describe", master, images, fill_photos(uri, work / "data", images))
            for images in (500, 1000, 2000)
            for master in ("none", "local[1]", "local[2]")
        ]
    if name == "fig6":
        return [
            Plan(what, master, images, fill(uri, 2000, images, 1))
            for images in (2000, 4000)
            for what, master in (("kernel", "none"), ("match", "local[1]"), ("match", "local[2]"))
        ]
    million, queries = int(1_000_000 * size), int(100_000 * size)
    large = fill(uri, million, queries, 1)
    if name == "large":
        half, quarter = queries // 2, queries // 4
        return [
            Plan("kernel", "none", half, large),
            *(Plan("kernel", f"local[{cores}]", half, large) for cores in (1, 2)),
            Plan("match", "local[2]", quarter, large),
            *(Plan("match", f"local[{cores}]", half, large) for cores in (1, 2)),
            *(Plan("match", f"local[{cores}]", queries, large) for cores in (1, 2)),
        ]
    if name == "cluster":
        return [
            Plan("match", f"local-cluster[{executors},1,1024]", queries // 4, large)
            for executors in (1, 2)
        ]
    if name == "standard":
        views = fill(uri, million // 6, queries // 25, 6, "standard")
        return [
            Plan("match", f"local[{cores}]", queries // 25, views, "standard") for cores in (1, 2)
        ]
    if name == "reading":
        views = fill(uri, million // 6, queries // 25, 6, "standard")
        return [
            *(Plan(what, "none", 0, of) for of in (large, views) for what in ("read", "find")),
            *(Plan("read", "local[2]", 0, of) for of in (large, views)),
        ]
    if name == "writing":
        return [
            Plan("states", "local[2]", million, fill(uri, 1000, million, 1), task_images=50_000)
        ]
    raise SystemExit(f"no such measurement: {name}")


def main() -> None:
    """Measure what is asked for; add to a table, and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names", nargs="+", help="fig5 fig6 large standard cluster reading writing plots"
    )
    parser.add_argument("--work", type=Path, required=True, help="folder for the database")
    parser.add_argument("--out", type=Path, help="folder for spark.csv and the plots")
    parser.add_argument("--size", type=float, default=1, help="share of 100,000 x 1 million")
    for name in ("--uri", "--what", "--master", "--database", "--mode"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    for name in ("--images", "--task-images", "--shard-images"):
        parser.add_argument(name, type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.work = args.work.absolute()
    if args.names == ["one"]:
        print(json.dumps(asdict(measured(args))))
        return
    args.out.mkdir(parents=True, exist_ok=True)
    table = args.out / "spark.csv"
    with running_world(args.work) as uri:
        for name in args.names:
            if name == "plots":
                continue
            for plan in plans(name, uri, args.work, args.size):
                add(table, name, plan.measure(uri, args.work))
    from spark_plots import plot_all

    plot_all(table, args.out)


def add(table: Path, name: str, cost: Cost) -> None:
    """Add a row to the table, and say it."""
    row = {"measurement": name, "load": f"{os.getloadavg()[0]:.1f}", **asdict(cost)}
    is_new = not table.exists()
    with table.open("a", newline="") as file:
        writer = csv.DictWriter(file, ["measurement", "load", *(one.name for one in fields(Cost))])
        if is_new:
            writer.writeheader()
        writer.writerow(row)
    print(
        f"{name:8s} {cost.what:8s} {cost.master:22s} {cost.images:7d} x {cost.records:8d}: "
        f"start {cost.start_seconds:5.1f} s ({cost.start_cpu_seconds:.1f} cpu), then "
        f"{cost.seconds:6.1f} s ({cost.cpu_seconds:.1f} cpu, MongoDB {cost.mongod_cpu_seconds:.1f})"
        f", {cost.done / max(cost.seconds, 1e-9):.3g}/s, {cost.peak_mb:.0f} MB",
        flush=True,
    )


if __name__ == "__main__":
    main()
