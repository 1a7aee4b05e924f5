from typing import Any

import pytest
from pydantic import ValidationError

from srpitp_contracts.model import utc_now
from srpitp_contracts.runs import (
    MAX_ERROR,
    MAX_FAULTS,
    ImageFault,
    LauncherName,
    Run,
    RunCounts,
    RunKind,
    RunProgress,
    RunReason,
    RunRequest,
    RunState,
    attempt_failed,
    begun,
    faulty,
    finished,
    heard,
    job_arguments,
    new_run,
    of_attempt,
)

NOW = utc_now()


def after(run: Run, update: dict[str, Any]) -> Run:
    known = {name: value for name, value in update["$set"].items() if name in Run.model_fields}
    return Run.model_validate({**run.model_dump(), **known})


def test_a_run_goes_from_waiting_to_finished() -> None:
    run = new_run("r1", RunRequest(kind=RunKind.MATCH), RunReason.REQUEST, LauncherName.LOCAL, NOW)
    assert run.state is RunState.WAITING
    running = after(run, begun(NOW))
    assert (running.state, running.started_at) == (RunState.RUNNING, NOW)
    half = after(running, heard(NOW, progress=RunProgress(done=1, total=2)))
    assert (half.progress.done, half.heartbeat_at) == (1, NOW)
    done = after(half, finished(NOW, RunCounts(images=3)))
    assert (done.state, done.counts.images, done.finished_at) == (RunState.FINISHED, 3, NOW)


def test_a_job_does_not_say_that_its_run_failed() -> None:
    fields = attempt_failed(NOW, "x" * 2 * MAX_ERROR)["$set"]
    assert "state" not in fields
    assert len(fields["error"]) == MAX_ERROR


def test_a_job_writes_to_its_own_ongoing_attempt_only() -> None:
    assert of_attempt("r1", 2) == {
        "_id": "r1",
        "attempts": 2,
        "state": {"$in": ["running", "submitted"]},
    }
    assert job_arguments("r1", 2) == ["--run", "r1", "--attempt", "2"]


def test_faults_do_not_fill_the_document() -> None:
    pushed = faulty([ImageFault(image_id="i", error="e")])["$push"]["faults"]
    assert pushed == {"$each": [{"image_id": "i", "error": "e"}], "$slice": MAX_FAULTS}


@pytest.mark.parametrize("field", [{"all_tags": True}, {"since": NOW}])
def test_a_fingerprint_run_takes_nothing_of_matching(field: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="match runs"):
        RunRequest.model_validate({"kind": "fingerprint", **field})
