"""What the matcher reads and writes of runs; what a job writes of its own is in the contract."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from srpitp_contracts.names import Collection
from srpitp_contracts.pages import Page
from srpitp_contracts.runs import ENDED, ONGOING, Place, Run, RunKind, RunReason, RunState
from srpitp_servicekit.mongo import (
    ASCENDING,
    DESCENDING,
    Database,
    Document,
    DuplicateKeyError,
    Indexes,
    IndexModel,
    from_document,
    to_document,
)
from srpitp_servicekit.paging import find_page
from srpitp_servicekit.queue import QUEUE_INDEX, waiting_fields

RUN_INDEXES: Indexes = {
    Collection.RUNS: [
        QUEUE_INDEX,
        IndexModel([("created_at", DESCENDING), ("_id", DESCENDING)]),
        IndexModel([("state", ASCENDING), ("finished_at", DESCENDING)], name="ended"),
        IndexModel(
            [("alone", ASCENDING)],
            name="alone",
            unique=True,
            partialFilterExpression={"alone": {"$type": "string"}},
        ),
    ]
}
CLAIMS = "claims"
"""The field that counts the matchers that took a run up; attempts are counted by launches."""

_OPEN = sorted(str(state) for state in set(RunState) - ENDED)
_ONGOING = sorted(str(state) for state in ONGOING)
_ENDED: Document = {"due_at": None, "lease": None, "alone": None}


class RunStore:
    """The runs. What is written of a claimed one names the claim, so that a lost one says nothing.

    A run that the matcher starts by itself has ``alone``: as long as it has not ended, there is
    no other one for the same reason.
    """

    def __init__(self, db: Database) -> None:
        self._runs = db[Collection.RUNS]

    async def add(self, run: Run) -> Run | None:
        """Add a run; return the one that has its id, or None when it cannot be beside another."""
        alone = None if run.reason is RunReason.REQUEST else str(run.reason)
        document = to_document(run) | waiting_fields() | {CLAIMS: 0, "alone": alone}
        document["attempts"] = run.attempts
        try:
            await self._runs.insert_one(document)
        except DuplicateKeyError:
            return await self.run(run.id)
        return run

    async def run(self, id_: str) -> Run | None:
        """Return a run."""
        document = await self._runs.find_one({"_id": id_})
        return from_document(Run, document) if document else None

    async def runs(self, query: Mapping[str, Any], *, limit: int, cursor: str | None) -> Page[Run]:
        """Return the newest runs whose fields have the given values."""
        given = {name: value for name, value in query.items() if value is not None}
        return await find_page(self._runs, given, Run, limit=limit, cursor=cursor)

    async def lost_by_tags(self) -> float:
        """Return what the latest sweep over all tags found beside them; NaN before the first."""
        sweep = {"state": str(RunState.FINISHED), "kind": str(RunKind.MATCH), "all_tags": True}
        latest = await self._runs.find_one(sweep, sort=[("finished_at", DESCENDING)])
        return float(latest["counts"]["lost_by_tags"]) if latest else math.nan

    async def cancel(self, id_: str, now: datetime) -> bool:
        """Cancel a run that has not ended; return whether there was one.

        It stays due: whoever claims it ends its job, and closes it.
        """
        result = await self._runs.update_one(
            {"_id": id_, "state": {"$in": _OPEN}},
            {"$set": {"state": str(RunState.CANCELLED), "finished_at": now}},
        )
        return result.modified_count == 1

    async def alone(self, reason: RunReason) -> Run | None:
        """Return the run for a reason that is not closed yet."""
        document = await self._runs.find_one({"alone": str(reason)})
        return from_document(Run, document) if document else None

    async def failed_since(self, reason: RunReason, moment: datetime) -> bool:
        """Return whether a run for a reason failed, or was cancelled, at a moment or later."""
        without_end = {"$in": [str(RunState.FAILED), str(RunState.CANCELLED)]}
        query = {"state": without_end, "finished_at": {"$gte": moment}, "reason": str(reason)}
        return await self._runs.find_one(query, {"_id": 1}) is not None

    async def latest_of_everything(self, moment: datetime) -> Run | None:
        """Return the run that compared all images with all, the last one since a moment."""
        query: Document = {
            "state": str(RunState.FINISHED),
            "finished_at": {"$gte": moment},
            "kind": str(RunKind.MATCH),
            "tags": [],
            "since": None,
        }
        document = await self._runs.find_one(query, sort=[("finished_at", DESCENDING)])
        return from_document(Run, document) if document else None

    async def held(self, claim: Document) -> Run | None:
        """Return a claimed run as it is now, or None when the claim was lost."""
        document = await self._runs.find_one({"_id": claim["_id"], "lease": claim["lease"]})
        return from_document(Run, document) if document else None

    async def begin(self, claim: Document, now: datetime) -> None:
        """Begin the next attempt of a waiting run: from now on only this one's job is heard."""
        fields = {
            "state": str(RunState.SUBMITTED),
            "submitted_at": now,
            "place": None,
            "started_at": None,
            "heartbeat_at": None,
            "attempt_failed_at": None,
        }
        waiting = {**_of(claim), "state": str(RunState.WAITING)}
        await self._runs.update_one(waiting, {"$set": fields, "$inc": {"attempts": 1}})

    async def placed(self, claim: Document, run: Run, place: Place) -> None:
        """Note where an attempt runs."""
        attempt = {**_of(claim), "attempts": run.attempts}
        await self._runs.update_one(attempt, {"$set": {"place": place.model_dump()}})

    async def try_again(self, claim: Document, run: Run, error: str, due_at: datetime) -> bool:
        """Note that an attempt failed, and let the run wait for the next one."""
        fields = {"state": str(RunState.WAITING), "error": error, "due_at": due_at, "lease": None}
        return await self._write_ongoing(claim, run, {"$set": fields, "$inc": {"failures": 1}})

    async def fail(self, claim: Document, run: Run, error: str, now: datetime) -> bool:
        """Note that an attempt failed, and was the last."""
        fields = {"state": str(RunState.FAILED), "error": error, "finished_at": now, **_ENDED}
        return await self._write_ongoing(claim, run, {"$set": fields, "$inc": {"failures": 1}})

    async def put_back(self, claim: Document, run: Run, now: datetime) -> bool:
        """Let a run wait again whose job we ended, though it did not fail."""
        fields = {"state": str(RunState.WAITING), "due_at": now, "lease": None}
        return await self._write_ongoing(claim, run, {"$set": fields})

    async def _write_ongoing(self, claim: Document, run: Run, update: Document) -> bool:
        ongoing = {**_of(claim), "attempts": run.attempts, "state": {"$in": _ONGOING}}
        return (await self._runs.update_one(ongoing, update)).matched_count == 1

    async def release(self, claim: Document, now: datetime) -> None:
        """Give a claim back: whoever is next goes on."""
        await self._runs.update_one(_of(claim), {"$set": {"due_at": now, "lease": None}})

    async def close(self, claim: Document) -> None:
        """End the watch over a run that has ended."""
        await self._runs.update_one(_of(claim), {"$set": _ENDED})


def _of(claim: Document) -> Document:
    return {"_id": claim["_id"], "lease": claim["lease"]}
