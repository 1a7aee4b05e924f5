"""What reviewers decide of matches, and what they undo (paper, step 9)."""

from collections.abc import Callable

from services.matcher import decisions
from services.matcher.decisions import WrongStateError
from services.matcher.noting import Noting
from services.matcher.store import MatcherStore
from srpitp_contracts.matching import Match, MatchWithSightings, ReviewRequest, UndoRequest
from srpitp_contracts.model import utc_now
from srpitp_servicekit.auth import Caller
from srpitp_servicekit.mongo import Session
from srpitp_servicekit.problems import ConflictError, NotFoundError

Decide = Callable[[Match], Match]


class ReviewService:
    """Takes the reviewers' decisions."""

    def __init__(self, store: MatcherStore, noting: Noting) -> None:
        self._store = store
        self._noting = noting

    async def review(self, id_: str, request: ReviewRequest, caller: Caller) -> MatchWithSightings:
        """Take a reviewer's decision; a confirmed match is told to its owner at once.

        Raises
        ------
        NotFoundError
            There is no such match.
        ConflictError
            It is not in review, and was decided otherwise.
        """
        by, now = _who(caller), utc_now()
        return await self._decide(
            id_,
            lambda match: decisions.reviewed(
                match, request.decision, by=by, at=now, note=request.note
            ),
        )

    async def undo(self, id_: str, request: UndoRequest, caller: Caller) -> MatchWithSightings:
        """Put a match that was confirmed or rejected back into review.

        An alert that was sent cannot be unsent: its owner is told that it is withdrawn.

        Raises
        ------
        NotFoundError
            There is no such match.
        ConflictError
            There is nothing to undo.
        """
        by, now = _who(caller), utc_now()
        return await self._decide(
            id_, lambda match: decisions.undone(match, by=by, at=now, note=request.note)
        )

    async def _decide(self, id_: str, decide: Decide) -> MatchWithSightings:
        async def work(session: Session) -> Match:
            match = await self._store.match(id_, session=session)
            if match is None:
                raise NotFoundError(f"There is no match {id_}.")
            try:
                decided = decide(match)
            except WrongStateError as error:
                raise ConflictError(str(error)) from error
            return await self._noting.write(session, match, decided)

        decided = await self._store.transaction(work)
        self._noting.wake()
        return await self._store.match_with_sightings(decided)


def _who(caller: Caller) -> str:
    return f"key:{caller.key_id}"
