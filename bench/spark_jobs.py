"""The Spark jobs beside one process: where Spark pays, what it costs, and how it grows.

Every measurement is a process of its own, so that none profits from another's warm Java. Processor
time is that of the job with all its workers; MongoDB's is told apart.
"""

import argparse
import csv
import json
import os
import time
from dataclasses import asdict, fields
from pathlib import Path

from spark_cost import Clock, Cost, peak_mb
from spark_measurements import ALONE, JOBS, warm
from spark_plans import PLANS, World
from spark_world import running_world

from spark.session import open_session
from spark.settings import Settings
from spark.store import Address, open_store
from srpitp_contracts.matching import MatchingMode
from srpitp_contracts.names import Collection


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
                peak = peak_mb(spark)
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
        peak_mb(None) if args.master == "none" else peak,
        done,
    )


def main() -> None:
    """Measure what is asked for; add to a table, and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+", metavar="NAME", help=f"{' '.join(PLANS)} plots")
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
    if unknown := sorted({*args.names} - {*PLANS, "plots"}):
        parser.error(f"no such measurement: {', '.join(unknown)}")
    args.out.mkdir(parents=True, exist_ok=True)
    table = args.out / "spark.csv"
    with running_world(args.work) as uri:
        for name in args.names:
            if name == "plots":
                continue
            began = time.monotonic()
            for plan in PLANS[name](World(uri, args.work, args.size)):
                add(table, name, plan.measure(uri, args.work))
            print(f"{name} took {(time.monotonic() - began) / 60:.1f} min", flush=True)
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
