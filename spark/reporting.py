"""What a job says of itself in its run's document, which is the truth about it."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from spark.store import Store
from srpitp_contracts.model import utc_now
from srpitp_contracts.runs import (
    ImageFault,
    Run,
    RunCounts,
    RunProgress,
    Update,
    attempt_failed,
    begun,
    faulty,
    finished,
    heard,
)

if TYPE_CHECKING:
    from pyspark import SparkContext

__all__ = ["Report", "SupersededError", "progress_of"]

logger = logging.getLogger(__name__)


class SupersededError(RuntimeError):
    """The attempt is not to go on: the run was cancelled, or another attempt was begun."""


class Report:
    """Reports one attempt of a run.

    Parameters
    ----------
    store
    run_id, attempt
    every_seconds
        How often it says that the job lives.
    """

    def __init__(self, store: Store, run_id: str, attempt: int, every_seconds: float) -> None:
        self._store = store
        self._key = run_id, attempt
        self._every_seconds = every_seconds
        self._total = 0  # pieces of the work, as far as they were counted

    def begin(self) -> Run:
        """Say that the attempt has begun; return what is to be done.

        Raises
        ------
        SupersededError
            It is not to be done, or not by this attempt.
        """
        self._say(begun(utc_now()))
        run = self._store.run(self._key[0])
        if run is None:
            raise SupersededError(f"run {self._key[0]} is gone")
        return run

    def finish(self, counts: RunCounts) -> None:
        """Say that all is done."""
        if self._total:
            done = RunProgress(done=self._total, total=self._total)
            self._say(heard(utc_now(), progress=done))
        self._say(finished(utc_now(), counts))

    def fail(self, error: str) -> None:
        """Say that the attempt cannot go on."""
        self._store.say(*self._key, attempt_failed(utc_now(), error))

    def name(self, faults: list[ImageFault]) -> None:
        """Name images that could not be worked on."""
        if faults:
            self._say(faulty(faults))

    def _say(self, update: Update) -> None:
        if not self._store.say(*self._key, update):
            raise SupersededError(f"attempt {self._key[1]} of run {self._key[0]} is not to go on")

    @contextmanager
    def living(
        self, progress: Callable[[], RunProgress | None], stop: Callable[[], object]
    ) -> Iterator[None]:
        """Say again and again that the job lives, and how far it is, while the block lasts.

        Parameters
        ----------
        progress
            Tells how far it is, if that is known.
        stop
            Called once when this attempt is not to go on; the block should then fail.

        Raises
        ------
        SupersededError
            In place of what came of stopping.
        """
        ended, superseded = threading.Event(), threading.Event()

        def beat() -> None:
            while not ended.wait(self._every_seconds):
                try:
                    made = progress()
                    self._total = made.total if made else self._total
                    self._say(heard(utc_now(), progress=made))
                except SupersededError:
                    superseded.set()
                    stop()
                    return
                except Exception:
                    logger.exception("how far the run is could not be said")

        thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
        thread.start()
        try:
            yield
        except Exception as error:
            if superseded.is_set():
                raise SupersededError("this attempt was stopped") from error
            raise
        finally:
            ended.set()
            thread.join()


def progress_of(context: "SparkContext") -> RunProgress | None:
    """Return how many tasks of the running stages are done; None between stages."""
    tracker = context.statusTracker()
    stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
    known = [stage for stage in stages if stage is not None]
    if not known:
        return None
    return RunProgress(
        done=sum(stage.numCompletedTasks for stage in known),
        total=sum(stage.numTasks for stage in known),
    )
