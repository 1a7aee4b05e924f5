"""What is to be done about a run, as a function of its document and of what is seen."""

from datetime import timedelta
from typing import Any

import pytest

from services.matcher.runs.launchers import Condition, Seen
from services.matcher.runs.watchdog import Patience, Step, judge, retry_delay
from srpitp_contracts.model import utc_now
from srpitp_contracts.runs import (
    LauncherName,
    Run,
    RunKind,
    RunReason,
    RunRequest,
    RunState,
    new_run,
)

NOW = utc_now()
PATIENCE = Patience(to_start=timedelta(seconds=60), between_heartbeats=timedelta(seconds=20))
LONG_AGO = NOW - timedelta(seconds=100)
SEEN = [Seen(condition) for condition in Condition]
ALIVE = [Seen(Condition.PENDING), Seen(Condition.RUNNING), Seen(Condition.UNKNOWN)]


def run(state: RunState, **changes: Any) -> Run:
    request = RunRequest(kind=RunKind.MATCH)
    made = new_run("r", request, RunReason.REQUEST, LauncherName.KUBERNETES, LONG_AGO)
    fields = {"state": state, "attempts": 1, "submitted_at": NOW, "heartbeat_at": NOW} | changes
    return Run.model_validate(made.model_dump() | fields)


def step(of: Run, seen: Seen) -> Step:
    return judge(of, seen, NOW, PATIENCE, LONG_AGO).step


@pytest.mark.parametrize("seen", SEEN)
def test_the_document_is_the_truth(seen: Seen) -> None:
    assert step(run(RunState.FINISHED), seen) is Step.CLOSE
    assert step(run(RunState.CANCELLED), seen) is Step.STOP
    gave_up = run(RunState.RUNNING, attempt_failed_at=NOW, error="no disk")
    assert judge(gave_up, seen, NOW, PATIENCE, LONG_AGO).reason == "no disk"


@pytest.mark.parametrize("state", [RunState.SUBMITTED, RunState.RUNNING])
def test_a_job_that_ended_without_a_word_failed(state: RunState) -> None:
    for condition in (Condition.SUCCEEDED, Condition.FAILED, Condition.GONE):
        assert step(run(state), Seen(condition)) is Step.GIVE_UP
    assert step(run(state), Seen(Condition.REFUSED, "no")) is Step.FAIL


@pytest.mark.parametrize("seen", ALIVE)
def test_a_job_that_is_heard_of_is_waited_for(seen: Seen) -> None:
    assert step(run(RunState.SUBMITTED), seen) is Step.WAIT
    assert step(run(RunState.RUNNING), seen) is Step.WAIT


@pytest.mark.parametrize("seen", ALIVE)
def test_a_job_that_is_silent_is_given_up_whatever_is_seen(seen: Seen) -> None:
    unbegun = judge(run(RunState.SUBMITTED, submitted_at=LONG_AGO), seen, NOW, PATIENCE, LONG_AGO)
    assert unbegun.step is Step.GIVE_UP
    assert "did not begin within 60 s" in unbegun.reason
    hung = judge(run(RunState.RUNNING, heartbeat_at=LONG_AGO), seen, NOW, PATIENCE, LONG_AGO)
    assert hung.step is Step.GIVE_UP
    assert "not heard of for 20 s" in hung.reason


def test_nobody_was_heard_while_we_were_away() -> None:
    hung = run(RunState.RUNNING, heartbeat_at=LONG_AGO)
    assert judge(hung, ALIVE[1], NOW, PATIENCE, NOW - timedelta(seconds=1)).step is Step.WAIT


def test_the_time_between_attempts_grows_to_a_bound() -> None:
    first = timedelta(seconds=30)
    for failures, longest in ((1, 30), (2, 60), (3, 120), (50, 1800)):
        delay = retry_delay(failures, first).total_seconds()
        assert longest / 2 <= delay <= longest
