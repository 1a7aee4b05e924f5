"""What the matcher decides (paper, steps 8 and 9)."""

from services.matcher.matching import Found, Matching
from services.matcher.store import MatcherStore
from srpitp_contracts.alerting import AlertRequest, EventType
from srpitp_contracts.crawling import RetainRequest
from srpitp_contracts.identifiers import alert_id
from srpitp_contracts.matching import (
    Match,
    MatchingOutcome,
    MatchState,
    MatchWithSightings,
    ReviewDecision,
    ReviewRequest,
)
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import ServiceName
from srpitp_contracts.pages import Page
from srpitp_servicekit.auth import Caller
from srpitp_servicekit.mongo import Session
from srpitp_servicekit.outbox import Outbox
from srpitp_servicekit.problems import ConflictError, NotFoundError

_STATE_OF = {
    ReviewDecision.CONFIRM: MatchState.CONFIRMED,
    ReviewDecision.REJECT: MatchState.REJECTED,
}


class MatcherService:
    """Compares, notes what is certain, and leaves the rest to reviewers."""

    def __init__(self, store: MatcherStore, outbox: Outbox, matching: Matching) -> None:
        self._store = store
        self._outbox = outbox
        self._matching = matching

    async def match_detected(self, detected_id: str, tag: str) -> MatchingOutcome:
        """Compare a detected image with the protected images of each of its tags."""
        return await self._note(await self._matching.of_detected(detected_id, tag))

    async def match_protected(self, protected_id: str, tag: str) -> MatchingOutcome:
        """Compare a protected image with the images that were detected before it was registered."""
        return await self._note(await self._matching.of_protected(protected_id, tag))

    async def _note(self, found: Found) -> MatchingOutcome:
        for match in found.matches:
            sighted = await self._store.match_with_sightings(match)

            async def work(session: Session, sighted: MatchWithSightings = sighted) -> None:
                # A pair that was judged before keeps its state, and was told of then.
                stored = await self._store.add_match(session, sighted)
                await self._retain(session, stored)
                if stored.state is MatchState.CONFIRMED:
                    await self._alert(session, stored, sighted)

            await self._store.transaction(work)
        self._outbox.wake()
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

    async def review(self, id_: str, request: ReviewRequest, caller: Caller) -> MatchWithSightings:
        """Take a reviewer's decision; a confirmed match is told to its owner at once.

        Raises
        ------
        NotFoundError
            There is no such match.
        ConflictError
            It was decided otherwise before.
        """
        sighted = await self.match(id_, caller)
        wanted = _STATE_OF[request.decision]

        async def work(session: Session) -> None:
            stored = await self._store.match(id_, session=session)
            if stored is None or stored.state is wanted:  # the same decision, sent again
                return
            if stored.state is not MatchState.IN_REVIEW:
                raise ConflictError(
                    f"Match {id_} is {stored.state} already, by {stored.decided_by}; it is not in "
                    "review any more."
                )
            decided = stored.model_copy(
                update={
                    "state": wanted,
                    "decided_by": f"key:{caller.key_id}",
                    "decided_at": utc_now(),
                    "note": request.note,
                }
            )
            await self._store.decide(session, decided)
            if wanted is MatchState.CONFIRMED:
                await self._alert(session, decided, sighted)

        await self._store.transaction(work)
        self._outbox.wake()
        return await self.match(id_, caller)

    async def _retain(self, session: Session, match: Match) -> None:
        await self._outbox.add(
            session,
            to=ServiceName.CRAWLER,
            subject="retained",
            key=match.detected_id,
            path=f"/v1/detected/{match.detected_id}/retained",
            body=RetainRequest(tag=match.detected_tag),
        )

    async def _alert(self, session: Session, match: Match, sighted: MatchWithSightings) -> None:
        id_ = alert_id(match.id, EventType.MATCH_CONFIRMED)
        told = MatchWithSightings(**match.model_dump(), sightings=sighted.sightings)
        await self._outbox.add(
            session,
            to=ServiceName.NOTIFICATION,
            subject="alert",
            key=id_,
            path=f"/v1/alerts/{id_}",
            body=AlertRequest(type=EventType.MATCH_CONFIRMED, owner_id=match.owner_id, match=told),
        )
