"""What the matcher reads and writes in MongoDB.

It owns ``matches``; it reads ``protected`` and ``owners`` (registration's), ``detected`` and
``sightings`` (the crawler's).
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from services.matcher.engine import Candidate
from services.matcher.index import Protected
from services.matcher.run_store import RUN_INDEXES
from srpitp_contracts.crawling import Sighting
from srpitp_contracts.matching import Match, MatchWithSightings
from srpitp_contracts.names import Collection
from srpitp_contracts.pages import Page
from srpitp_contracts.registration import AlertPolicy, ProtectionStatus
from srpitp_servicekit.mongo import (
    ASCENDING,
    DESCENDING,
    Database,
    Document,
    Indexes,
    IndexModel,
    Session,
    from_document,
    to_document,
    transaction,
)
from srpitp_servicekit.outbox import OUTBOX_INDEXES
from srpitp_servicekit.paging import find_page

INDEXES: Indexes = {
    **OUTBOX_INDEXES,
    **RUN_INDEXES,
    Collection.MATCHES: [
        IndexModel([("owner_id", ASCENDING), ("_id", ASCENDING)], name="shard_key"),
        IndexModel([("owner_id", ASCENDING), ("created_at", DESCENDING), ("_id", DESCENDING)]),
        IndexModel([("state", ASCENDING), ("created_at", DESCENDING), ("_id", DESCENDING)]),
        IndexModel([("detected_id", ASCENDING)]),
        IndexModel([("protected_id", ASCENDING)]),
    ],
}

_BATCH = 2000
# A banner may be shown on every page of a large site, and an alert must fit into a document.
_SIGHTINGS_TOLD = 100

_DECIDED = ("state", "decided_by", "decided_at", "note", "history", "alerted", "withdrawals")

T = TypeVar("T")


@dataclass(frozen=True)
class Detected:
    """A detected image as the matcher sees it."""

    candidate: Candidate
    image_address: str
    tag: str
    tags: tuple[str, ...]


class MatcherStore:
    """Matches, and the images that they are made of."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._protected = db[Collection.PROTECTED]
        self._detected = db[Collection.DETECTED]
        self._sightings = db[Collection.SIGHTINGS]
        self._matches = db[Collection.MATCHES]
        self._owners = db[Collection.OWNERS]

    async def transaction(self, work: Callable[[Session], Coroutine[Any, Any, T]]) -> T:
        """Run work in one transaction; it may be run several times."""
        return await transaction(self._db, work)

    async def protected_changes(self, tag: str, since: datetime | None) -> Mapping[str, datetime]:
        """Return the time of change of each protected image that changed at or after ``since``."""
        query: Document = {"tag": tag}
        if since is not None:
            query["updated_at"] = {"$gte": since}
        found = self._protected.find(query, {"updated_at": 1})
        return {document["_id"]: document["updated_at"] async for document in found}

    async def protected_images(self, tag: str, ids: Sequence[str]) -> list[Protected]:
        """Return protected images of a tag."""
        found = self._protected.find({"tag": tag, "_id": {"$in": list(ids)}})
        return [_protected(document) async for document in found]

    async def detected_image(self, tag: str, id_: str) -> Detected | None:
        """Return a detected image."""
        document = await self._detected.find_one({"tag": tag, "_id": id_})
        return _detected(document) if document else None

    async def detected_images(self, tag: str) -> AsyncIterator[list[Detected]]:
        """Yield every retained detected image of a tag, a batch at a time."""
        batch: list[Detected] = []
        async for document in self._detected.find({"tag": tag}, batch_size=_BATCH):
            batch.append(_detected(document))
            if len(batch) == _BATCH:
                yield batch
                batch = []
        if batch:
            yield batch

    async def sightings(
        self, detected_id: str, *, session: Session | None = None
    ) -> list[Sighting]:
        """Return where a detected image was seen, first sighting first, up to a hundred."""
        found = self._sightings.find({"image_id": detected_id}, session=session)
        found = found.sort("first_seen", ASCENDING)
        return [from_document(Sighting, one) async for one in found.limit(_SIGHTINGS_TOLD)]

    async def add_match(self, session: Session, match: Match) -> Match:
        """Write a match, unless it is there already; return the one that is in the store."""
        document = to_document(Match.model_validate(match, from_attributes=True))
        key = {"owner_id": document.pop("owner_id"), "_id": document.pop("_id")}
        await self._matches.update_one(
            key, {"$setOnInsert": document}, upsert=True, session=session
        )
        stored = await self._matches.find_one(key, session=session)
        return from_document(Match, stored) if stored else match

    async def match(self, id_: str, *, session: Session | None = None) -> Match | None:
        """Return a match, whoever owns it."""
        document = await self._matches.find_one({"_id": id_}, session=session)
        return from_document(Match, document) if document else None

    async def match_with_sightings(self, match: Match) -> MatchWithSightings:
        """Return a match with the pages that show the copy."""
        sightings = await self.sightings(match.detected_id)
        return MatchWithSightings(**match.model_dump(), sightings=sightings)

    async def decide(self, session: Session, match: Match) -> None:
        """Write what was decided of a match, and what was told of it."""
        fields = to_document(match)
        decision = {name: fields[name] for name in _DECIDED}
        await self._matches.update_one(
            {"owner_id": match.owner_id, "_id": match.id}, {"$set": decision}, session=session
        )

    async def alert_policy(self, owner_id: str, session: Session) -> AlertPolicy:
        """Return of which matches an owner is alerted."""
        owner = await self._owners.find_one({"_id": owner_id}, session=session)
        return AlertPolicy((owner or {}).get("alert_policy", AlertPolicy.CONFIRMED))

    async def matches(
        self, query: Mapping[str, Any], *, limit: int, cursor: str | None
    ) -> Page[Match]:
        """Return the newest matches whose fields have the given values."""
        given = {name: value for name, value in query.items() if value is not None}
        return await find_page(self._matches, given, Match, limit=limit, cursor=cursor)


def _candidate(document: Mapping[str, Any]) -> Candidate:
    return Candidate(
        id=document["_id"],
        digest=document["digest"],
        textureless=document["textureless"],
        fingerprints=tuple(bytes(view["fingerprint"]) for view in document["views"]),
    )


def _protected(document: Mapping[str, Any]) -> Protected:
    return Protected(
        candidate=_candidate(document),
        owner_id=document["owner_id"],
        title=document["title"],
        tag=document["tag"],
        active=document["status"] == ProtectionStatus.ACTIVE,
        protected_from=document["protected_from"],
        protected_until=document["protected_until"],
        updated_at=document["updated_at"],
    )


def _detected(document: Mapping[str, Any]) -> Detected:
    return Detected(
        candidate=_candidate(document),
        image_address=document["image_address"],
        tag=document["tag"],
        tags=tuple(score["tag"] for score in document["tags"]),
    )
