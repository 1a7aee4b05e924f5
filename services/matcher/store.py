"""What the matcher reads and writes in MongoDB.

It owns ``matches``; it reads ``protected`` and ``owners`` (registration's), ``detected`` and
``sightings`` (the crawler's).
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any, TypeVar

from services.matcher.reviews.store import REVIEW_INDEX
from services.matcher.runs.store import RUN_INDEXES
from services.matcher.suppression.store import SUPPRESSED_INDEX, SUPPRESSION_INDEXES
from srpitp_contracts.crawling import Sighting
from srpitp_contracts.matching import Match, MatchState, MatchWithSightings
from srpitp_contracts.names import Collection
from srpitp_contracts.pages import Page
from srpitp_contracts.registration import AlertPolicy
from srpitp_servicekit.mongo import (
    ASCENDING,
    DESCENDING,
    Database,
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
    **SUPPRESSION_INDEXES,
    Collection.MATCHES: [
        IndexModel([("owner_id", ASCENDING), ("_id", ASCENDING)], name="shard_key"),
        IndexModel([("owner_id", ASCENDING), ("created_at", DESCENDING), ("_id", DESCENDING)]),
        IndexModel([("state", ASCENDING), ("created_at", DESCENDING), ("_id", DESCENDING)]),
        IndexModel([("detected_id", ASCENDING)]),
        IndexModel([("protected_id", ASCENDING)]),
        SUPPRESSED_INDEX,
        REVIEW_INDEX,
        IndexModel(
            [("untold", ASCENDING)], name="untold", partialFilterExpression={"untold": True}
        ),
    ],
}

# A banner may be shown on every page of a large site, and an alert must fit into a document.
_SIGHTINGS_TOLD = 100

_DECIDED = ("state", "decided_by", "decided_at", "note", "history", "alerted", "withdrawals")

T = TypeVar("T")


class MatcherStore:
    """Matches, and the images that they are made of."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._sightings = db[Collection.SIGHTINGS]
        self._matches = db[Collection.MATCHES]
        self._owners = db[Collection.OWNERS]

    async def transaction(self, work: Callable[[Session], Coroutine[Any, Any, T]]) -> T:
        """Run work in one transaction; it may be run several times."""
        return await transaction(self._db, work)

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

    async def untold(self) -> AsyncIterator[Match]:
        """Yield the matches that a job added, and of which nobody was told yet."""
        async for document in self._matches.find({"untold": True}):
            yield from_document(Match, document)

    async def take_untold(self, session: Session, match: Match) -> Match | None:
        """Mark a match as told of; return it as it is in the store, or None if it was already."""
        document = await self._matches.find_one_and_update(
            {"owner_id": match.owner_id, "_id": match.id, "untold": True},
            {"$unset": {"untold": ""}},
            session=session,
        )
        return from_document(Match, document) if document else None

    async def suppressed(self, detected_id: str) -> list[Match]:
        """Return the matches of a detected image that alert nobody."""
        query = {"detected_id": detected_id, "state": str(MatchState.SUPPRESSED)}
        return [from_document(Match, document) async for document in self._matches.find(query)]

    async def match(
        self, id_: str, *, owner_id: str | None = None, session: Session | None = None
    ) -> Match | None:
        """Return a match, whoever owns it; it is found sooner by its owner."""
        query = {"_id": id_} | ({"owner_id": owner_id} if owner_id else {})
        document = await self._matches.find_one(query, session=session)
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

    async def count_in_review(self) -> int:
        """Count the matches that wait for a reviewer."""
        return await self._matches.count_documents({"state": str(MatchState.IN_REVIEW)})

    async def matches(
        self, query: Mapping[str, Any], *, limit: int, cursor: str | None
    ) -> Page[Match]:
        """Return the newest matches whose fields have the given values."""
        given = {name: value for name, value in query.items() if value is not None}
        return await find_page(self._matches, given, Match, limit=limit, cursor=cursor)
