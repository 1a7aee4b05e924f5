"""Runs of Spark jobs: what is asked for, how far it is, and who may say so.

A run's document is the truth about it. The matcher writes it and says when another attempt is
made; the job writes how far it is, and that it is done. Each of the job's writes names its
attempt (`of_attempt`), so that a run that was cancelled stays so, and an attempt that was given up
cannot end the one after it: the job whose write matches nothing stops.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from srpitp_contracts.model import Identifier, Model, UtcTime

MAX_FAULTS = 100
"""How many images that could not be worked on are named; all of them are counted."""
MAX_ERROR = 2000

Update = dict[str, Any]
"""A MongoDB filter or update."""


TagName = Annotated[str, Field(min_length=1, max_length=64)]


class RunKind(StrEnum):
    """What a run does."""

    MATCH = "match"
    """compares detected images with all protected ones"""
    FINGERPRINT = "fingerprint"
    """describes images anew whose description is missing or of another version"""


class RunState(StrEnum):
    """How far a run is."""

    WAITING = "waiting"
    """not yet launched, or to be launched again"""
    SUBMITTED = "submitted"
    """launched; the job has not said anything yet"""
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    """given up after several attempts"""
    CANCELLED = "cancelled"


ENDED = frozenset({RunState.FINISHED, RunState.FAILED, RunState.CANCELLED})
ONGOING = frozenset({RunState.SUBMITTED, RunState.RUNNING})
"""The states in which a job may write."""


class RunReason(StrEnum):
    """Why there is a run."""

    REQUEST = "request"
    SCHEDULE = "schedule"
    HANDOVER = "handover"
    """there was more to compare than the matcher itself should do"""


class LauncherName(StrEnum):
    """Where jobs run."""

    LOCAL = "local"
    """as a process beside the matcher, Spark in local mode"""
    KUBERNETES = "kubernetes"
    """as a SparkApplication of the Spark operator"""


class RunRequest(Model):
    """A run that is asked for."""

    kind: RunKind
    tags: list[TagName] = Field(
        default=[], max_length=100, description="of the images that are looked at; all if empty"
    )
    all_tags: bool = Field(
        default=False,
        description="compare whatever the tags say, and count what tags would have lost",
    )
    since: UtcTime | None = Field(
        default=None, description="only images that were first seen at this time or later"
    )

    @model_validator(mode="after")
    def _has_meaning(self) -> Self:
        if self.kind is RunKind.FINGERPRINT and (self.all_tags or self.since):
            raise ValueError("all_tags and since are of match runs")
        return self


class RunCounts(Model):
    """What a run did, in its latest attempt."""

    images: int = Field(default=0, description="images that were looked at")
    pairs: int = Field(default=0, description="pairs of images that were compared")
    candidates: int = Field(default=0, description="pairs that were near enough to be verified")
    matches: int = Field(default=0, description="pairs that are exact or similar")
    new_matches: int = Field(default=0, description="matches that were not known before")
    lost_by_tags: int = Field(
        default=0, description="matches whose images have no tag in common, if all were compared"
    )
    refreshed: int = Field(default=0, description="images that were described anew")
    errors: int = Field(default=0, description="images that could not be worked on")


class RunProgress(Model):
    """How much of the work is done, in pieces of about the same size."""

    done: int = Field(ge=0)
    total: int = Field(ge=0, description="0 until it is known")


class ImageFault(Model):
    """An image that could not be worked on."""

    image_id: Identifier
    error: Annotated[str, Field(max_length=MAX_ERROR)]


class Place(Model):
    """Where an attempt runs."""

    within: str = Field(description="the host, or the namespace", examples=["srpitp"])
    name: str = Field(
        description="the process's number, or the SparkApplication's name",
        examples=["4711", "srpitp-match-0fd1c2a4-1"],
    )
    log: str = Field(description="where its log is found, or by which command")


class Run(Model):
    """One run of a Spark job."""

    id: Identifier
    kind: RunKind
    tags: list[str]
    all_tags: bool
    since: UtcTime | None
    reason: RunReason
    launcher: LauncherName
    state: RunState
    attempts: int = Field(description="the number of the latest attempt; 0 before the first")
    failures: int = Field(description="how many attempts failed")
    counts: RunCounts
    progress: RunProgress
    faults: list[ImageFault] = Field(description=f"up to {MAX_FAULTS} of the errors counted")
    error: str | None = Field(description="why the last attempt that failed did")
    place: Place | None = Field(description="where the latest attempt runs, or ran")
    created_at: UtcTime
    submitted_at: UtcTime | None = Field(description="when it was launched last")
    started_at: UtcTime | None = Field(description="when the latest attempt's job began")
    heartbeat_at: UtcTime | None = Field(description="when the job was last heard of")
    attempt_failed_at: UtcTime | None = Field(description="when the job said that it cannot go on")
    finished_at: UtcTime | None = Field(description="when it finished, failed or was cancelled")


def new_run(
    id_: str, request: RunRequest, reason: RunReason, launcher: LauncherName, now: datetime
) -> Run:
    """Return the run that a request asks for, not yet launched."""
    return Run(
        id=id_,
        **request.model_dump(),
        reason=reason,
        launcher=launcher,
        state=RunState.WAITING,
        attempts=0,
        failures=0,
        counts=RunCounts(),
        progress=RunProgress(done=0, total=0),
        faults=[],
        error=None,
        place=None,
        created_at=now,
        submitted_at=None,
        started_at=None,
        heartbeat_at=None,
        attempt_failed_at=None,
        finished_at=None,
    )


def job_arguments(run_id: str, attempt: int) -> list[str]:
    """Return what a job is told on its command line; all else is in the run's document."""
    return ["--run", run_id, "--attempt", str(attempt)]


def of_attempt(run_id: str, attempt: int) -> Update:
    """Return the filter of every write of a job: this attempt, as long as it goes on."""
    ongoing = sorted(str(state) for state in ONGOING)
    return {"_id": run_id, "attempts": attempt, "state": {"$in": ongoing}}


def begun(now: datetime) -> Update:
    """Return the update by which a job says that it has begun; counts start anew."""
    return {
        "$set": {
            "state": str(RunState.RUNNING),
            "started_at": now,
            "heartbeat_at": now,
            "counts": RunCounts().model_dump(),
            "progress": RunProgress(done=0, total=0).model_dump(),
            "faults": [],
        }
    }


def heard(
    now: datetime, *, progress: RunProgress | None = None, counts: RunCounts | None = None
) -> Update:
    """Return the update by which a job says that it lives, and maybe how far it is.

    It is due every few seconds, also while a long piece of work goes on: a job that is not heard of
    is taken for lost.
    """
    said: Mapping[str, Model | None] = {"progress": progress, "counts": counts}
    fields = {name: value.model_dump() for name, value in said.items() if value is not None}
    return {"$set": {"heartbeat_at": now, **fields}}


def faulty(faults: list[ImageFault]) -> Update:
    """Return the update that names images that could not be worked on."""
    each = [fault.model_dump() for fault in faults]
    return {"$push": {"faults": {"$each": each, "$slice": MAX_FAULTS}}}


def finished(now: datetime, counts: RunCounts) -> Update:
    """Return the update by which a job says that all is done."""
    return {
        "$set": {
            "state": str(RunState.FINISHED),
            "counts": counts.model_dump(),
            "error": None,
            "heartbeat_at": now,
            "finished_at": now,
        }
    }


def attempt_failed(now: datetime, error: str) -> Update:
    """Return the update by which a job says that it cannot go on.

    The run's state stays: whether there is another attempt is for the matcher to say.
    """
    return {"$set": {"error": error[:MAX_ERROR], "heartbeat_at": now, "attempt_failed_at": now}}
