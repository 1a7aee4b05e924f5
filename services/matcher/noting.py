"""What happens after a match is added: suppress or not, retain its image, alert its owner.

The one place for it. The live path comes here with what it found, and so does whoever takes up the
matches that a job wrote, or decides of one: `settle` looks at how things are and does what is
still to be done, in the caller's transaction, so that doing it again does nothing.
"""

from datetime import datetime

from services.matcher.decisions import (
    due_event,
    event_id,
    is_open_to_suppression,
    judged,
    told_of,
    with_first_decision,
)
from services.matcher.store import MatcherStore
from services.matcher.suppression.rules import Suppression
from srpitp_contracts.alerting import AlertRequest
from srpitp_contracts.crawling import RetainRequest
from srpitp_contracts.matching import Match, MatchWithSightings
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import ServiceName
from srpitp_servicekit.mongo import Session
from srpitp_servicekit.outbox import Outbox


class Noting:
    """Adds matches, and tells of them what is to be told."""

    def __init__(self, store: MatcherStore, suppression: Suppression, outbox: Outbox) -> None:
        self._store = store
        self._suppression = suppression
        self._outbox = outbox

    async def note(self, match: Match) -> None:
        """Add a match, unless the pair is known, and settle it; all of it or nothing."""

        async def work(session: Session) -> None:
            # A pair that was judged before keeps its state.
            await self.settle(session, await self._store.add_match(session, match))

        await self._store.transaction(work)

    async def settle(self, session: Session, match: Match) -> Match:
        """Do what is due for a match that is in the store: suppress it, or alert its owner.

        Its image is retained in any case.

        Parameters
        ----------
        session
            Of the transaction in which the match was added or taken up.
        match
            As it is in the store.

        Returns
        -------
        Match
            As it is in the store now.
        """
        await self._retain(session, match)
        return await self.judge(session, match, utc_now())

    async def judge(self, session: Session, match: Match, at: datetime) -> Match:
        """Suppress a match for which there is a reason at a moment, or end its suppression."""
        after = with_first_decision(match)
        if is_open_to_suppression(after):
            reason = await self._suppression.reason(session, after, at)
            after = judged(after, reason, at=at)
        return await self.write(session, match, after)

    async def judge_suppressed(self, detected_id: str) -> None:
        """Judge anew what is suppressed of an image: it may be shown where nothing covers it."""
        for match in await self._store.suppressed(detected_id):
            await self.judge_now(match.owner_id, match.id, utc_now())
        self.wake()

    async def judge_now(self, owner_id: str, id_: str, at: datetime) -> None:
        """Judge one match, in a transaction of its own."""

        async def work(session: Session) -> None:
            match = await self._store.match(id_, owner_id=owner_id, session=session)
            if match is not None:
                await self.judge(session, match, at)

        await self._store.transaction(work)

    async def write(self, session: Session, before: Match, after: Match) -> Match:
        """Write what was decided of a match, and tell its owner what is due then."""
        policy = await self._store.alert_policy(after.owner_id, session)
        if event := due_event(after, policy):
            id_ = event_id(after, event)
            after = told_of(after, event)
            sightings = await self._store.sightings(after.detected_id, session=session)
            told = MatchWithSightings(**after.model_dump(), sightings=sightings)
            await self._outbox.add(
                session,
                to=ServiceName.NOTIFICATION,
                subject="alert",
                key=id_,
                path=f"/v1/alerts/{id_}",
                body=AlertRequest(type=event, owner_id=after.owner_id, match=told),
            )
        if after != before:
            await self._store.decide(session, after)
        return after

    def wake(self) -> None:
        """Send now what is to be told."""
        self._outbox.wake()

    async def _retain(self, session: Session, match: Match) -> None:
        await self._outbox.add(
            session,
            to=ServiceName.CRAWLER,
            subject="retained",
            key=match.detected_id,
            path=f"/v1/detected/{match.detected_id}/retained",
            body=RetainRequest(tag=match.detected_tag),
        )
