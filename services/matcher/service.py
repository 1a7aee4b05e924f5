"""What the matcher decides (paper, steps 8 and 9)."""

from services.matcher.noting import Noting
from services.matcher.runs.handover import Handover
from services.matcher.search.matching import Found, Matching
from services.matcher.store import MatcherStore
from srpitp_contracts.matching import Match, MatchingOutcome, MatchState, MatchWithSightings
from srpitp_contracts.pages import Page
from srpitp_servicekit.auth import Caller
from srpitp_servicekit.problems import NotFoundError


class MatcherService:
    """Compares, notes what is certain, and leaves the rest to reviewers."""

    def __init__(
        self, store: MatcherStore, matching: Matching, noting: Noting, handover: Handover
    ) -> None:
        self._handover = handover
        self._store = store
        self._matching = matching
        self._noting = noting

    async def match_detected(self, detected_id: str, tag: str) -> MatchingOutcome:
        """Compare a detected image with the protected images of each of its tags.

        It may be told of anew since further pages show it; so what allowances covered is judged
        in any case, also where a run compares it or its protection has ended.
        """
        await self._noting.judge_suppressed(detected_id)
        if known := await self._handover.of_detected(detected_id, tag):
            return known
        return await self._note(await self._matching.of_detected(detected_id, tag))

    async def match_protected(self, protected_id: str, tag: str) -> MatchingOutcome:
        """Compare a protected image with the images that were detected before it was registered."""
        if known := await self._handover.of_protected(protected_id, tag):
            return known
        return await self._note(await self._matching.of_protected(protected_id, tag))

    async def _note(self, found: Found) -> MatchingOutcome:
        for match in found.matches:
            await self._noting.note(match)
        self._noting.wake()
        return MatchingOutcome(
            compared=found.compared, matches=[match.id for match in found.matches]
        )

    async def match(self, match_id: str, caller: Caller) -> MatchWithSightings:
        """Return a match to somebody who may see it."""
        match = await self._store.match(match_id)
        if match is None or not caller.may_see(match.owner_id):
            raise NotFoundError(f"There is no match {match_id}.")
        return await self._store.match_with_sightings(match)

    async def matches(
        self,
        caller: Caller,
        *,
        state: MatchState | None,
        protected_id: str | None,
        detected_id: str | None,
        limit: int,
        cursor: str | None,
    ) -> Page[Match]:
        """Return the newest matches that the caller may see."""
        query = {
            "owner_id": None if caller.sees_everything else caller.owner_id,
            "state": state,
            "protected_id": protected_id,
            "detected_id": detected_id,
        }
        return await self._store.matches(query, limit=limit, cursor=cursor)
