"""The protected images of each tag, in memory, as fresh as the store at every search."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from services.matcher.engine import Bank, Candidate

# A registration's time of change is set before it is committed, by another machine's clock: what
# changed this long before the newest change that we know is looked at again.
_OVERLAP = timedelta(seconds=60)
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Protected:
    """A protected image as the matcher sees it."""

    candidate: Candidate
    owner_id: str
    title: str
    tag: str
    active: bool
    protected_from: datetime
    protected_until: datetime | None
    updated_at: datetime

    def is_protected_at(self, moment: datetime) -> bool:
        """Return whether the protection holds at a moment."""
        ended = self.protected_until is not None and self.protected_until <= moment
        return self.active and self.protected_from <= moment and not ended


class ProtectedReader(Protocol):
    """Reads the protected images from the store."""

    async def protected_changes(self, tag: str, since: datetime | None) -> Mapping[str, datetime]:
        """Return the time of change of each image of a tag that changed at or after ``since``."""

    async def protected_images(self, tag: str, ids: list[str]) -> list[Protected]:
        """Return images of a tag."""


@dataclass(frozen=True)
class Snapshot:
    """The protected images of a tag at a moment, laid out for comparing."""

    images: Mapping[str, Protected]
    bank: Bank


class LiveIndex:
    """Keeps a snapshot for each tag and brings it up to date before it is used."""

    def __init__(self, reader: ProtectedReader) -> None:
        self._tags: defaultdict[str, _Tag] = defaultdict(lambda: _Tag(reader))

    async def at(self, tag: str, moment: datetime) -> Snapshot:
        """Return the images of a tag whose protection holds at a moment."""
        return await self._tags[tag].at(tag, moment)


class _Tag:
    def __init__(self, reader: ProtectedReader) -> None:
        self._reader = reader
        self._lock = asyncio.Lock()
        self._known: dict[str, Protected] = {}
        self._snapshot = Snapshot({}, Bank([]))
        self._holds_until = _NEVER

    async def at(self, tag: str, moment: datetime) -> Snapshot:
        async with self._lock:
            changed = await self._refresh(tag)
            if changed or moment >= self._holds_until:
                self._lay_out(moment)
            return self._snapshot

    def _lay_out(self, moment: datetime) -> None:
        images = {id_: image for id_, image in self._known.items() if image.is_protected_at(moment)}
        self._snapshot = Snapshot(images, Bank([image.candidate for image in images.values()]))
        boundaries = (
            boundary
            for image in self._known.values()
            for boundary in (image.protected_from, image.protected_until)
            if image.active and boundary is not None and boundary > moment
        )
        self._holds_until = min(boundaries, default=_NEVER)

    async def _refresh(self, tag: str) -> bool:
        newest = max((image.updated_at for image in self._known.values()), default=None)
        changes = await self._reader.protected_changes(tag, newest and newest - _OVERLAP)
        stale = [
            id_
            for id_, updated_at in changes.items()
            if id_ not in self._known or self._known[id_].updated_at != updated_at
        ]
        if stale:
            for image in await self._reader.protected_images(tag, stale):
                self._known[image.candidate.id] = image
        return bool(stale)
