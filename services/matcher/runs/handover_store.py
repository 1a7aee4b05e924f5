"""What waits to be compared, and what was said of an image before: read only.

The outboxes of registration and the crawler hold every image that the matcher has not answered
for yet.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from srpitp_contracts.crawling import DetectedState
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import Collection, ServiceName
from srpitp_servicekit.mongo import Database

_SOON = timedelta(
    hours=1
)  # what is told again is due within it; later is what is not yet protected


@dataclass(frozen=True)
class Waiting:
    """How many images are to be compared, and with how many others."""

    detected: int
    protected: int
    all_detected: int
    all_protected: int

    @property
    def pairs(self) -> int:
        """At most so many pairs: which of them have no tag in common is not known before."""
        return self.detected * self.all_protected + self.protected * self.all_detected


@dataclass(frozen=True)
class Known:
    """What the store says of an image that is to be compared."""

    stored_at: datetime
    """by the clock of whoever stored it; protection begins then, or later"""
    compared: bool
    """whether it is known to be compared with what was protected then"""


class HandoverStore:
    """Reads what waits."""

    def __init__(self, db: Database) -> None:
        self._outbox = db[Collection.OUTBOX]
        self._protected = db[Collection.PROTECTED]
        self._detected = db[Collection.DETECTED]
        self._matches = db[Collection.MATCHES]

    async def waiting(self) -> Waiting:
        """Count what waits."""
        return Waiting(
            detected=await self._untold("detected"),
            protected=await self._untold("protected"),
            all_detected=await self._detected.estimated_document_count(),
            all_protected=await self._protected.estimated_document_count(),
        )

    async def _untold(self, subject: str) -> int:
        soon = utc_now() + _SOON
        return await self._outbox.count_documents(
            {
                "due_at": {"$lte": soon, "$type": "date"},
                "to": str(ServiceName.MATCHER),
                "subject": subject,
            }
        )

    async def detected(self, tag: str, id_: str) -> Known | None:
        """Return what is known of a detected image, unless it is part of a match.

        Of one that is, the matcher hears again for other reasons than to compare it.
        """
        query = {"tag": tag, "_id": id_, "state": {"$ne": str(DetectedState.MATCHED)}}
        document = await self._detected.find_one(query, {"first_seen": 1, "state": 1})
        if document is None:
            return None
        return Known(document["first_seen"], document["state"] == DetectedState.SEARCHED)

    async def protected(self, tag: str, id_: str) -> Known | None:
        """Return what is known of a protected image."""
        fields = {"updated_at": 1, "protected_from": 1}
        document = await self._protected.find_one({"tag": tag, "_id": id_}, fields)
        if document is None:
            return None
        return Known(max(document["updated_at"], document["protected_from"]), compared=True)

    async def matches(self, query: Mapping[str, Any]) -> list[str]:
        """Return the matches of an image."""
        return [one["_id"] async for one in self._matches.find(query, {"_id": 1})]
