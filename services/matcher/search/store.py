"""What the matcher reads of images: protected ones, detected ones, and their descriptions.

They belong to registration and the crawler; nothing is written here.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from srpitp_contracts.names import Collection
from srpitp_contracts.registration import ProtectionStatus
from srpitp_matching import DESCRIBED_FIELDS, DETECTED_FIELDS, PROTECTED_FIELDS
from srpitp_servicekit.mongo import Database, Document, raw_batches, watch

_BATCH = 200  # more are no faster, and what is unpacked at a time leaves holes in the memory
_PERIOD_FIELDS = ("status", "protected_from", "protected_until", "updated_at")
_INDEXED_FIELDS = (*DESCRIBED_FIELDS, *_PERIOD_FIELDS)


def is_protected_at(document: Mapping[str, Any], moment: datetime) -> bool:
    """Return whether the protection of an image holds at a moment."""
    until = document["protected_until"]
    ended = until is not None and until <= moment
    active: bool = document["status"] == ProtectionStatus.ACTIVE
    return active and document["protected_from"] <= moment and not ended


class ImageStore:
    """Reads images."""

    def __init__(self, db: Database) -> None:
        self._protected = db[Collection.PROTECTED]
        self._detected = db[Collection.DETECTED]
        self._descriptions = db[Collection.DESCRIPTIONS]

    async def count_protected(self, moment: datetime) -> int:
        """Count the images that are protected at a moment."""
        return await self._protected.count_documents(_protected_at(moment))

    async def newest_change(self) -> datetime | None:
        """Return when a protected image changed last."""
        newest = self._protected.find({}, {"updated_at": 1}).sort("updated_at", -1).limit(1)
        return next((one["updated_at"] for one in await newest.to_list(1)), None)

    def every_protected(self) -> AsyncIterator[bytes]:
        """Yield all active images with what the index takes of them, in raw batches."""
        active = {"status": str(ProtectionStatus.ACTIVE)}
        return raw_batches(self._protected, active, _INDEXED_FIELDS, batch_size=_BATCH)

    async def changes(self, since: datetime | None) -> dict[str, tuple[str, datetime]]:
        """Return tag and time of change of each image that changed at or after ``since``."""
        query = {} if since is None else {"updated_at": {"$gte": since}}
        found = self._protected.find(query, {"updated_at": 1, "tag": 1})
        return {one["_id"]: (one["tag"], one["updated_at"]) async for one in found}

    async def indexed(self, tags: Mapping[str, str]) -> list[Document]:
        """Return what the index takes of protected images, given the tag of each id."""
        return await self._of_protected(tags, _INDEXED_FIELDS)

    async def protected(self, id_: str, tag: str) -> Document | None:
        """Return a protected image with all that matching reads."""
        found = await self._of_protected({id_: tag}, {*_INDEXED_FIELDS, *PROTECTED_FIELDS})
        return found[0] if found else None

    async def facts(self, ids: Iterable[str]) -> dict[str, Document]:
        """Return what matches say of protected images, and their periods; by id."""
        fields = dict.fromkeys((*PROTECTED_FIELDS, *_PERIOD_FIELDS), 1)
        found = self._protected.find({"_id": {"$in": list(ids)}}, fields)
        return {one["_id"]: one async for one in found}

    async def detected(self, tag: str, id_: str) -> Document | None:
        """Return a detected image."""
        return await self._detected.find_one(
            {"tag": tag, "_id": id_}, dict.fromkeys(DETECTED_FIELDS, 1)
        )

    def detected_with(self, tags: Iterable[str] | None) -> AsyncIterator[bytes]:
        """Yield every retained detected image that has one of the tags, or all, in raw batches."""
        query = {} if tags is None else {"tags.tag": {"$in": list(tags)}}
        return raw_batches(self._detected, query, DETECTED_FIELDS, batch_size=_BATCH)

    async def descriptions(self, ids: Sequence[str]) -> dict[str, bytes]:
        """Return the packed descriptions of images, of those that have one."""
        packed: dict[str, bytes] = {}
        for start in range(0, len(ids), _BATCH):
            some = {"_id": {"$in": ids[start : start + _BATCH]}}
            found = self._descriptions.find(some, {"packed": 1})
            packed |= {one["_id"]: one["packed"] async for one in found}
        return packed

    def protected_changed(self) -> AsyncIterator[None]:
        """Yield whenever a protected image changes."""
        return watch(self._protected)

    async def _of_protected(self, tags: Mapping[str, str], fields: Iterable[str]) -> list[Document]:
        query = {"tag": {"$in": sorted(set(tags.values()))}, "_id": {"$in": list(tags)}}
        found = self._protected.find(query, dict.fromkeys(fields, 1))
        return [one async for one in found]


def _protected_at(moment: datetime) -> Document:
    return {
        "status": str(ProtectionStatus.ACTIVE),
        "protected_from": {"$lte": moment},
        "$or": [{"protected_until": None}, {"protected_until": {"$gt": moment}}],
    }
