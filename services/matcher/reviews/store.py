"""The queries about what waits for reviewers."""

import base64
import binascii
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple

from services.matcher.suppression.rules import Shown
from srpitp_contracts.matching import BulkReviewRequest, Match, MatchState
from srpitp_contracts.names import Collection
from srpitp_servicekit.mongo import ASCENDING, Database, Document, IndexModel, from_document
from srpitp_servicekit.problems import InvalidRequestError

_BATCH = 200
_IN_REVIEW = {"state": str(MatchState.IN_REVIEW)}

REVIEW_INDEX = IndexModel(
    [("state", ASCENDING), ("detected_id", ASCENDING), ("decision_distance", ASCENDING)],
    name="review",
)
"""Of ``matches``."""


class Waiting(NamedTuple):
    """A match that waits for a reviewer: its shard key, and its detected image."""

    owner_id: str
    id: str
    detected_id: str


class ReviewStore:
    """What is in review."""

    def __init__(self, db: Database) -> None:
        self._matches = db[Collection.MATCHES]
        self._sightings = db[Collection.SIGHTINGS]

    async def queue(
        self, query: Mapping[str, Any], *, limit: int, cursor: str | None
    ) -> tuple[list[str], str | None]:
        """Return the detected images that wait, the nearest first, and the cursor behind them."""
        behind = _decoded(cursor) if cursor else {}
        found = self._matches.aggregate(
            [
                {"$match": {**query, **_IN_REVIEW}},
                {"$group": {"_id": "$detected_id", "nearest": {"$min": "$decision_distance"}}},
                {"$match": behind},
                {"$sort": {"nearest": 1, "_id": 1}},
                {"$limit": limit + 1},
            ]
        )
        documents = await found.to_list(limit + 1)
        shown = documents[:limit]
        return [one["_id"] for one in shown], (
            _encoded(shown[-1]) if len(documents) > limit else None
        )

    async def candidates(
        self, query: Mapping[str, Any], detected_ids: Sequence[str]
    ) -> Mapping[str, list[Match]]:
        """Return what is in review of each detected image, the nearest first."""
        found = self._matches.find(
            {**query, **_IN_REVIEW, "detected_id": {"$in": list(detected_ids)}}
        )
        candidates = defaultdict[str, list[Match]](list)
        async for document in found.sort([("decision_distance", ASCENDING), ("_id", ASCENDING)]):
            candidates[document["detected_id"]].append(from_document(Match, document))
        return candidates

    async def waiting(self, request: BulkReviewRequest) -> AsyncIterator[list[Waiting]]:
        """Yield what is in review and meets a request, its pages apart, a batch at a time."""
        named = request.model_dump(
            include={"owner_id", "protected_id", "detected_id"}, exclude_none=True
        )
        query: Document = {**named, **_IN_REVIEW}
        if request.nearer_than is not None:
            query["decision_distance"] = {"$lt": request.nearer_than}
        if request.found_before is not None:
            query["created_at"] = {"$lte": request.found_before}
        found = self._matches.find(query, {"owner_id": 1, "detected_id": 1}, batch_size=_BATCH)
        batch = []
        async for one in found:
            batch.append(Waiting(one["owner_id"], one["_id"], one["detected_id"]))
            if len(batch) == _BATCH:
                yield batch
                batch = []
        if batch:
            yield batch

    async def shown(self, detected_ids: Sequence[str]) -> AsyncIterator[tuple[str, Shown]]:
        """Yield every page that shows one of the images."""
        fields = {"image_id": 1, "page_address": 1, "uploader.value": 1}
        async for one in self._sightings.find({"image_id": {"$in": list(detected_ids)}}, fields):
            uploader = one.get("uploader") or {}
            yield one["image_id"], Shown(one["page_address"], uploader.get("value"))


def _encoded(last: Document) -> str:
    return base64.urlsafe_b64encode(json.dumps([last["nearest"], last["_id"]]).encode()).decode()


def _decoded(cursor: str) -> Document:
    try:
        nearest, last_id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        position = float(nearest), str(last_id)
    except (binascii.Error, ValueError, TypeError) as error:
        raise InvalidRequestError("The cursor is not one of ours; start without one.") from error
    return {
        "$or": [
            {"nearest": {"$gt": position[0]}},
            {"nearest": position[0], "_id": {"$gt": position[1]}},
        ]
    }
