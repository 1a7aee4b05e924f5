"""The queries about what suppresses matches: allowances, exclusions, and what is judged anew.

The matcher owns ``exclusions`` and ``judgements``; ``allowances`` are the registration service's.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from services.matcher.suppression.rules import Shown
from srpitp_contracts.allowances import Allowance
from srpitp_contracts.fingerprints import Profile
from srpitp_contracts.matching import Exclusion, Match, MatchState
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import Collection
from srpitp_contracts.pages import Page
from srpitp_fingerprint import Description
from srpitp_matching import DETECTED_FIELDS, scanned
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
from srpitp_servicekit.paging import find_page
from srpitp_servicekit.queue import QUEUE_INDEX, DueQueue, waiting_fields

_SUPPRESSED = {"state": str(MatchState.SUPPRESSED)}
_IMAGE = ("digest", "textureless", "profile", "fp_version", "views")

SUPPRESSION_INDEXES: Indexes = {
    Collection.EXCLUSIONS: [
        IndexModel([("created_at", DESCENDING), ("_id", DESCENDING)], name="newest")
    ],
    Collection.JUDGEMENTS: [
        QUEUE_INDEX,
        IndexModel([("done_at", ASCENDING)], name="done", expireAfterSeconds=7 * 86_400),
    ],
}
SUPPRESSED_INDEX = IndexModel(
    [("decided_by", ASCENDING), ("_id", ASCENDING)],
    name="suppressed",
    partialFilterExpression=_SUPPRESSED,
)
"""Of ``matches``."""


class Key(NamedTuple):
    """What names a match: its shard key."""

    owner_id: str
    id: str


class Judgement(NamedTuple):
    """Something that matches are to be judged anew for."""

    reason: str
    """`allowance:<id>` or `exclusion:<id>`: it holds now, or holds no more"""
    owner_id: str | None
    """whose matches, or everybody's"""
    at: datetime
    """the moment for which they are judged, at least"""
    is_last: bool
    claimed: Document


class SuppressionStore:
    """Allowances, exclusions and judgements."""

    def __init__(self, db: Database, *, profile: Profile, lease: timedelta) -> None:
        self._db = db
        self._profile: Profile = profile
        self._allowances = db[Collection.ALLOWANCES]
        self._exclusions = db[Collection.EXCLUSIONS]
        self._judgements = db[Collection.JUDGEMENTS]
        self._detected = db[Collection.DETECTED]
        self._sightings = db[Collection.SIGHTINGS]
        self._matches = db[Collection.MATCHES]
        self.queue = DueQueue(self._judgements, lease=lease)

    async def allowances(self, owner_id: str, session: Session) -> list[Allowance]:
        """Return the allowances of an owner, the oldest first."""
        found = self._allowances.find({"owner_id": owner_id}, session=session)
        found = found.sort([("created_at", ASCENDING), ("_id", ASCENDING)])
        return [from_document(Allowance, document) async for document in found]

    async def shown(self, detected_id: str, session: Session) -> AsyncIterator[Shown]:
        """Yield every page that shows a detected image."""
        fields = {"page_address": 1, "uploader.value": 1}
        found = self._sightings.find({"image_id": detected_id}, fields, session=session)
        async for document in found.sort([("first_seen", ASCENDING), ("_id", ASCENDING)]):
            uploader = document.get("uploader") or {}
            yield Shown(document["page_address"], uploader.get("value"))

    async def described(self, match: Match, session: Session) -> Description | None:
        """Return the detected image of a match, unless it is gone."""
        key = {"tag": match.detected_tag, "_id": match.detected_id}
        document = await self._detected.find_one(
            key, dict.fromkeys(DETECTED_FIELDS, 1), session=session
        )
        return scanned(document, profile=self._profile) if document else None

    async def exclusion_ids(self, session: Session) -> list[str]:
        """Return the ids of all exclusions, in order."""
        found = self._exclusions.find({}, {"_id": 1}, session=session).sort("_id", ASCENDING)
        return [document["_id"] async for document in found]

    async def excluded(self, ids: Sequence[str], session: Session) -> Mapping[str, Description]:
        """Return excluded images by the ids of their exclusions."""
        found = self._exclusions.find({"_id": {"$in": list(ids)}}, session=session)
        return {one["_id"]: scanned(one["image"], profile=self._profile) async for one in found}

    async def detected_named(self, **field: str) -> Document | None:
        """Return a detected image by its id or its digest: what is kept of it when excluded."""
        query = {"_id" if name == "id" else name: value for name, value in field.items()}
        fields = dict.fromkeys((*DETECTED_FIELDS, "image_address"), 1)
        return await self._detected.find_one(query, fields)

    async def add_exclusion(self, exclusion: Exclusion, image: Document | None) -> Exclusion:
        """Exclude an image, unless it is excluded already; what is in review is judged anew."""
        nothing = {"textureless": True, "views": []}
        kept = {name: value for name, value in (image or nothing).items() if name in _IMAGE}
        kept |= {"_id": exclusion.detected_id, "tag": "", "digest": exclusion.digest}
        fields = to_document(exclusion) | {"image": kept}
        del fields["_id"]

        async def work(session: Session) -> Exclusion:
            result = await self._exclusions.update_one(
                {"_id": exclusion.id}, {"$setOnInsert": fields}, upsert=True, session=session
            )
            if result.upserted_id is None:
                known = await self._exclusions.find_one({"_id": exclusion.id}, session=session)
                return from_document(Exclusion, known) if known else exclusion
            await self.judge_anew(f"exclusion:{exclusion.id}", None, utc_now(), session=session)
            return exclusion

        return await transaction(self._db, work)

    async def exclusions(self, *, limit: int, cursor: str | None) -> Page[Exclusion]:
        """List the newest exclusions."""
        return await find_page(self._exclusions, {}, Exclusion, limit=limit, cursor=cursor)

    async def count_exclusions(self, *, but: str) -> int:
        """Return how many images are excluded, one apart."""
        return await self._exclusions.count_documents({"_id": {"$ne": but}})

    async def delete_exclusion(self, id_: str) -> bool:
        """End an exclusion; what it suppressed is judged anew. False when there is none."""

        async def work(session: Session) -> bool:
            deleted = await self._exclusions.delete_one({"_id": id_}, session=session)
            if deleted.deleted_count:
                await self.judge_anew(f"exclusion:{id_}", None, utc_now(), session=session)
            return bool(deleted.deleted_count)

        return await transaction(self._db, work)

    async def judge_anew(
        self, reason: str, owner_id: str | None, at: datetime, *, session: Session | None = None
    ) -> None:
        """Have matches judged anew; one that is under way for the same reason begins again."""
        fields = {**waiting_fields(), "owner_id": owner_id, "is_last": False, "done_at": None}
        await self._judgements.update_one(
            {"_id": reason}, {"$set": fields, "$max": {"at": at}}, upsert=True, session=session
        )

    async def claim(self) -> Judgement | None:
        """Return a judgement that is due."""
        claimed = await self.queue.claim()
        if claimed is None:
            return None
        return Judgement(
            claimed["_id"], claimed["owner_id"], claimed["at"], claimed["is_last"], claimed
        )

    async def finish(self, judgement: Judgement) -> None:
        """Note that all matches were judged."""
        await self.queue.complete(judgement.claimed, {"done_at": utc_now()})

    async def once_more(self, judgement: Judgement, delay: timedelta) -> None:
        """Judge a second and last time, after a while."""
        await self.queue.retry(judgement.claimed, delay, {"is_last": True})

    async def open_to(self, judgement: Judgement) -> AsyncIterator[Key]:
        """Yield the matches that a judgement may change: in review, or suppressed by its reason."""
        whose = {"owner_id": judgement.owner_id} if judgement.owner_id else {}
        for states in (
            {"state": str(MatchState.IN_REVIEW)},
            {**_SUPPRESSED, "decided_by": judgement.reason},
        ):
            found = self._matches.find({**whose, **states}, {"owner_id": 1})
            async for document in found:
                yield Key(document["owner_id"], document["_id"])
