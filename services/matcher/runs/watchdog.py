"""What is to be done about a launched run: decided from its document and what is seen of it."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.matcher.runs.launchers import Condition, Seen
from services.matcher.runs.settings import WatchSettings
from srpitp_contracts.runs import Run, RunState

_LONGEST_RETRY = timedelta(minutes=30)


class Step(StrEnum):
    """What comes next for a run."""

    WAIT = "wait"
    CLOSE = "close"
    """it is done"""
    STOP = "stop"
    """it was cancelled"""
    GIVE_UP = "give up"
    """this attempt failed"""
    FAIL = "fail"
    """and so would every other one"""


@dataclass(frozen=True)
class Verdict:
    """A step, and why."""

    step: Step
    reason: str = ""


@dataclass(frozen=True)
class Patience:
    """How long a job may be silent."""

    to_start: timedelta
    between_heartbeats: timedelta

    @classmethod
    def of(cls, settings: WatchSettings) -> "Patience":
        """Return what the settings say."""
        return cls(
            timedelta(seconds=settings.run_start_seconds),
            timedelta(seconds=settings.run_heartbeat_seconds),
        )


def judge(
    run: Run, seen: Seen, now: datetime, patience: Patience, watched_since: datetime
) -> Verdict:
    """Decide what comes next for a run that was launched.

    Parameters
    ----------
    run
        Its document, read after ``seen`` was: a job says that it is done before it ends.
    seen
        What the launcher sees of the latest attempt.
    now
        The present moment.
    patience
        How long the job may be silent.
    watched_since
        Since when we look: while we, or the store, were away, nobody could be heard.
    """
    if run.state is RunState.CANCELLED:
        return Verdict(Step.STOP)
    if run.state is RunState.FINISHED:
        return Verdict(Step.CLOSE)
    if run.attempt_failed_at is not None:
        return Verdict(Step.GIVE_UP, run.error or "the job failed")
    if seen.condition is Condition.REFUSED:
        return Verdict(Step.FAIL, seen.detail)
    if ended := _ended(seen):
        return Verdict(Step.GIVE_UP, ended)
    if silent := _silent(run, now, patience, watched_since):
        hint = f" ({seen.condition}: {seen.detail})" if seen.detail else f" ({seen.condition})"
        return Verdict(Step.GIVE_UP, silent + hint)
    return Verdict(Step.WAIT)


def _ended(seen: Seen) -> str | None:
    match seen.condition:
        case Condition.FAILED:
            return seen.detail or "the job ended with an error"
        case Condition.SUCCEEDED:
            return "the job ended without saying that it was done"
        case Condition.GONE:
            return seen.detail or "the job vanished"
    return None


def _silent(run: Run, now: datetime, patience: Patience, watched_since: datetime) -> str | None:
    if run.state is RunState.SUBMITTED:
        waited = now - (run.submitted_at or run.created_at)
        if waited > patience.to_start:
            return f"the job did not begin within {patience.to_start.total_seconds():g} s"
    else:
        silence = now - max(run.heartbeat_at or run.created_at, watched_since)
        if silence > patience.between_heartbeats:
            limit = patience.between_heartbeats.total_seconds()
            return f"the job was not heard of for {limit:g} s"
    return None


def retry_delay(failures: int, first: timedelta) -> timedelta:
    """Return how long to wait after the given number of failures, with jitter."""
    longest = min(_LONGEST_RETRY, first * float(2 ** min(failures - 1, 20)))
    return longest * random.uniform(0.5, 1)  # noqa: S311  (jitter, not a secret)
