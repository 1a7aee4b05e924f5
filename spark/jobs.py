"""What both jobs have in common: a command line, a session, and a run that is reported on."""

import argparse
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from spark.outcome import Outcome, gathered
from spark.reading import Piece
from spark.reporting import Report, SupersededError, progress_of
from spark.session import SparkMissingError, open_session
from spark.settings import Settings
from spark.store import Address, Store, open_store
from srpitp_contracts.runs import Run

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession

__all__ = ["Task", "Work", "collected", "main"]

logger = logging.getLogger(__name__)

Work = Callable[["SparkSession", Run, Store, Settings], Outcome]
"""Does what a run asks for."""
Task = Callable[[Piece], Iterator[Outcome]]
"""Does it for a piece, and says after each batch what became of it."""

_COLUMN = "outcome"


def main(description: str, work: Work, arguments: Sequence[str] | None = None) -> None:
    """Run a job; the exit status is 0 when the run's document says that it is finished."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--run", required=True, help="id of the run, whose document says the rest")
    parser.add_argument("--attempt", type=int, required=True, help="number of this attempt")
    given = parser.parse_args(arguments)
    settings = Settings()
    logging.basicConfig(level=settings.log_level, format="%(levelname)s %(name)s: %(message)s")
    with open_store(Address.of(settings)) as store:
        report = Report(store, given.run, given.attempt, settings.spark_heartbeat_seconds)
        try:
            _work(report, work, store, settings)
        except (SupersededError, SparkMissingError) as error:
            report.fail(str(error))
            sys.exit(str(error))
        except Exception as error:
            report.fail(f"{type(error).__name__}: {error}")
            raise


def _work(report: Report, work: Work, store: Store, settings: Settings) -> None:
    run = report.begin()
    with open_session(settings, f"srpitp {run.kind} {run.id}") as spark:
        context = spark.sparkContext
        with report.living(lambda: progress_of(context), context.cancelAllJobs):
            outcome = work(spark, run, store, settings)
        report.name(outcome.faults)
        report.finish(outcome.counts)
    logger.info("run %s is finished: %s", run.id, outcome.counts)


def collected(spark: "SparkSession", pieces: Sequence[Piece], task: Task) -> Outcome:
    """Have all pieces done, and gather what the tasks said of them.

    Each says a line of JSON for a batch: so few bytes that the driver holds them all.
    """

    def work(batches: Iterator["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        for batch in batches:
            for number in batch.column(0).to_pylist():
                yield from map(_said, task(pieces[number]))

    rows = spark.range(0, len(pieces), 1, max(1, len(pieces)))
    lines = rows.mapInArrow(work, f"{_COLUMN} string").collect()
    return gathered(Outcome.model_validate_json(line[_COLUMN]) for line in lines)


def _said(outcome: Outcome) -> "pa.RecordBatch":
    """Make the row in which a task says what became of some images."""
    import pyarrow as pa

    return pa.RecordBatch.from_arrays([pa.array([outcome.model_dump_json()])], [_COLUMN])
