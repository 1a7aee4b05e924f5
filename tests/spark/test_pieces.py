"""What the jobs are made of, without Spark."""

import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from multiprocessing.synchronize import Barrier
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from spark import jobs, mapped, session
from spark.ahead import ahead
from spark.outcome import Outcome, gathered
from spark.ranges import Range, cut, packed
from spark.reporting import Report, SupersededError
from spark.settings import Settings
from spark.shards import built, forget_old
from spark.store import Store
from srpitp_contracts.names import Collection
from srpitp_contracts.runs import MAX_FAULTS, ImageFault, RunCounts, RunProgress
from srpitp_fingerprint import Slab
from tests.spark.pictures import World

counts = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), st.integers(0, 5000), max_size=4)


def within(part: Range, tag: str, id_: str) -> bool:
    return part.tag == tag and (part.low or "") <= id_ and (part.high is None or id_ < part.high)


@settings(deadline=None)
@given(counts, st.integers(1, 999), st.text(st.sampled_from("0123456789abcdefz_-"), min_size=1))
def test_every_id_lies_in_one_range(of: dict[str, int], size: int, id_: str) -> None:
    parts = cut(of, size)
    for tag in of:
        assert sum(within(part, tag, id_) for part in parts) == 1
    shards = packed(of, size)
    assert [part for shard in shards for part in shard] == parts


def test_ranges_are_as_large_as_is_wanted() -> None:
    assert cut({"a": 1000, "b": 0}, 400) == [
        Range("a", None, "55555555"),
        Range("a", "55555555", "aaaaaaaa"),
        Range("a", "aaaaaaaa", None),
        Range("b", None, None),
    ]
    assert Range("a", None, "5").filter == {"tag": "a", "_id": {"$lt": "5"}}
    assert Range("a", "5", "a").filter == {"tag": "a", "_id": {"$gte": "5", "$lt": "a"}}
    assert Range("b", None, None).filter == {"tag": "b"}
    assert [len(pack) for pack in packed({"a": 90, "b": 5, "c": 4, "d": 2}, 100)] == [3, 1]


def test_arrays_are_mapped_and_changed_in_private(tmp_path: Path) -> None:
    rows = np.random.default_rng(1).integers(0, 256, (700, 180), dtype=np.uint8)
    path = tmp_path / "new" / "slab"
    mapped.dump({"slab": Slab.of(rows), "empty": np.zeros(0)}, path)
    for _ in range(2):
        slab = mapped.load(path)["slab"]
        assert (slab.rows(range(700)) == rows).all()
        assert slab.removed == 0
        slab.remove([5])
        slab.append(rows[:10])
    assert [file.name for file in path.parent.iterdir()] == ["slab"]


@pytest.mark.parametrize("keep", [3, 20, 5000])
def test_other_files_are_refused(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "slab"
    mapped.dump([np.ones(4000)], path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises((ValueError, EOFError)):
        mapped.load(path)
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match="no file of ours"):
        mapped.load(path)


def build_in(folder: Path, started: Barrier) -> None:
    def make(number: int) -> None:
        with (folder / "made").open("a") as file:
            file.write(f"{number}\n")
        (folder / "run" / f"{number}.x").write_text("made")

    started.wait()
    built([folder / "run" / f"{number}.x" for number in range(20)], make)


def test_each_file_is_built_by_one_process(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    started = context.Barrier(3)
    processes = [context.Process(target=build_in, args=(tmp_path, started)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(150)
        assert process.exitcode == 0
    assert sorted((tmp_path / "made").read_text().split(), key=int) == [*map(str, range(20))]


def test_a_builder_that_fails_is_made_up_for(tmp_path: Path) -> None:
    def fail(number: int) -> None:
        raise OSError(f"no room for {number}")

    path = tmp_path / "run" / "0.x"
    with pytest.raises(OSError, match="no room"):
        built([path], fail)
    built([path], lambda _: path.touch())
    assert path.exists()


def test_what_earlier_runs_left_is_deleted_some_day(tmp_path: Path) -> None:
    for name, age in (("old", 3 * 86400), ("new", 60)):
        (tmp_path / name).mkdir()
        then = (tmp_path / name).stat().st_mtime - age
        os.utime(tmp_path / name, (then, then))
    forget_old(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    forget_old(tmp_path / "nowhere")


def test_one_is_worked_on_while_the_next_is_made() -> None:
    both = threading.Barrier(2, timeout=10)

    def made() -> Iterator[int]:
        for number in range(5):
            if number % 2:
                both.wait()
            yield number

    come = []
    for number in ahead(made()):
        come.append(number)
        if number % 2 == 0 and number < 4:
            both.wait()
    assert come == list(range(5))
    assert list(ahead([])) == []


def test_what_fails_ahead_fails_in_its_turn() -> None:
    def made() -> Iterator[int]:
        yield 1
        raise LookupError("of the second")

    coming = ahead(made())
    assert next(coming) == 1
    with pytest.raises(LookupError, match="of the second"):
        next(coming)


def test_outcomes_add_up_and_name_some_faults() -> None:
    some = [ImageFault(image_id=str(number), error="broken") for number in range(70)]
    outcome = gathered(
        Outcome(counts=RunCounts(images=100, errors=70), faults=some) for _ in range(3)
    )
    assert (outcome.counts.images, outcome.counts.errors) == (300, 210)
    assert len(outcome.faults) == MAX_FAULTS
    assert gathered([]) == Outcome()


def test_a_run_tells_how_far_it_is(world: World, store: Store) -> None:
    run_id = world.run()
    report = Report(store, run_id, 1, every_seconds=0.01)
    assert report.begin().id == run_id
    was_said = threading.Event()

    def progress() -> RunProgress:
        run = store.run(run_id)
        if run is not None and run.progress.total:
            was_said.set()
        return RunProgress(done=1, total=3)

    with report.living(progress, lambda: None):
        assert was_said.wait(20)
    report.finish(RunCounts(images=5))
    run = store.run(run_id)
    assert run is not None
    assert (run.state, run.counts.images, run.progress.done) == ("finished", 5, 3)


def test_a_cancelled_run_is_stopped(world: World, store: Store) -> None:
    run_id = world.run()
    report = Report(store, run_id, 1, every_seconds=0.01)
    report.begin()
    stopped = threading.Event()

    def work() -> None:
        with report.living(lambda: None, stopped.set):
            assert stopped.wait(20)
            raise OSError("what Spark says of a cancelled job")

    runs = store.collection(Collection.RUNS)
    runs.update_one({"_id": run_id}, {"$set": {"state": "cancelled"}})
    with pytest.raises(SupersededError):
        work()
    for said in (report.begin, lambda: report.finish(RunCounts())):
        with pytest.raises(SupersededError):
            said()
    run = store.run(run_id)
    assert run is not None
    assert run.state == "cancelled"


def test_a_job_that_fails_says_why(
    world: World, store: Store, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    run_id = world.run()
    monkeypatch.setattr(session, "why_no_spark", lambda: "Spark needs something.")
    monkeypatch.setattr(jobs, "Settings", lambda: settings)
    with pytest.raises(SystemExit, match="Spark needs something"):
        jobs.main("A job.", lambda *_: Outcome(), ["--run", run_id, "--attempt", "1"])
    run = store.run(run_id)
    assert run is not None
    assert (run.state, run.error) == ("running", "Spark needs something.")


def test_without_java_it_is_said_what_to_do() -> None:
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "from srpitp_servicekit.spark import why_no_spark; print(why_no_spark())",
        ],
        env={"PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "openjdk-17-jre-headless" in said.stdout
