"""Why a match alerts nobody: its owner allows what the pages show, or the image matches too much.

What a page says of itself, its address apart, is what its author wrote there: it counts only on
the site that the owner named.
"""

import asyncio
import unicodedata
from collections.abc import AsyncIterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from srpitp_contracts.allowances import Allowance, AllowanceKind, place_of
from srpitp_contracts.matching import Match
from srpitp_fingerprint import Description, Gallery, Steps, candidates
from srpitp_servicekit.mongo import Session

_BUDGET = 1.0  # images per million that are taken for an excluded one and are another


@dataclass(frozen=True)
class Shown:
    """Where a detected image is shown, as far as an allowance asks."""

    page_address: str
    uploader: str | None


def covers(allowance: Allowance, shown: Shown) -> bool:
    """Return whether an allowance covers a page; of which image and when is not asked here."""
    if not place_of(allowance.kind, allowance.value, allowance.on).holds(shown.page_address):
        return False
    by_name = allowance.kind is AllowanceKind.UPLOADER
    return not by_name or same_name(shown.uploader, allowance.value)


def in_force(allowances: Sequence[Allowance], match: Match, at: datetime) -> list[Allowance]:
    """Return the allowances that count for a match at a moment."""
    return [
        one
        for one in allowances
        if one.owner_id == match.owner_id
        and (not one.image_ids or match.protected_id in one.image_ids)
        and one.valid_from <= at
        and (one.valid_until is None or at < one.valid_until)
    ]


async def covering(
    allowances: Sequence[Allowance], shown: AsyncIterable[Shown]
) -> Allowance | None:
    """Return the allowance of the first page if all pages are covered; no pages, no allowance."""
    first = None
    async for one in shown:
        found = next((allowance for allowance in allowances if covers(allowance, one)), None)
        if found is None:
            return None
        first = first or found
    return first


class ExcludedImages:
    """The images that match too much, laid out for comparing."""

    def __init__(self, images: Mapping[str, Description]) -> None:
        self.ids = tuple(sorted(images))
        self._gallery = Gallery((images[id_] for id_ in self.ids), points=False)
        steps = Steps(index=False, verification=False, panels=False, sharing=0)
        self._steps = steps.within(_BUDGET, max(1, len(self.ids)))

    def like(self, picture: Description) -> str | None:
        """Return the excluded image that a picture is the same as, or nearly."""
        near = [
            one
            for one in candidates(picture, self._gallery, self._steps)
            if one.exact or (one.nearness <= self._steps.tight and not one.plain)
        ]
        if not near:
            return None
        return self.ids[min(near, key=lambda one: (not one.exact, one.nearness, one.place)).place]


class SuppressionReader(Protocol):
    """Reads what the judgement is taken on."""

    async def allowances(self, owner_id: str, session: Session) -> list[Allowance]:
        """Return the allowances of an owner, the oldest first."""

    def shown(self, detected_id: str, session: Session) -> AsyncIterable[Shown]:
        """Yield every page that shows a detected image."""

    async def exclusion_ids(self, session: Session) -> list[str]:
        """Return the ids of all exclusions."""

    async def excluded(self, ids: Sequence[str], session: Session) -> Mapping[str, Description]:
        """Return excluded images by the ids of their exclusions."""

    async def described(self, match: Match, session: Session) -> Description | None:
        """Return the detected image of a match, unless it is gone."""


class Suppression:
    """Judges matches by what is in the store."""

    def __init__(self, reader: SuppressionReader) -> None:
        self._reader = reader
        self._excluded = ExcludedImages({})

    async def reason(self, session: Session, match: Match, at: datetime) -> str | None:
        """Return what suppresses a match, `exclusion:<id>` or `allowance:<id>`, if anything."""
        if excluded := await self._exclusion(session, match):
            return f"exclusion:{excluded}"
        allowance = await self._allowance(session, match, at)
        return f"allowance:{allowance.id}" if allowance else None

    async def _allowance(self, session: Session, match: Match, at: datetime) -> Allowance | None:
        allowances = await self._reader.allowances(match.owner_id, session)
        counting = in_force(allowances, match, at)
        if not counting:
            return None
        return await covering(counting, self._reader.shown(match.detected_id, session))

    async def _exclusion(self, session: Session, match: Match) -> str | None:
        ids = await self._reader.exclusion_ids(session)
        if not ids:
            return None
        picture = await self._reader.described(match, session)
        if picture is None:
            return None
        if tuple(ids) != self._excluded.ids:
            self._excluded = ExcludedImages(await self._reader.excluded(ids, session))
        return await asyncio.to_thread(self._excluded.like, picture)


def same_name(one: str | None, other: str) -> bool:
    """Return whether a page states a name; capitals make another one."""
    return one is not None and _name(one) == _name(other)


def _name(value: str) -> str:
    """Return a name without the differences that nobody sees."""
    return " ".join(unicodedata.normalize("NFC", value).split())
