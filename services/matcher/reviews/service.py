"""What reviewers decide of matches, and what they undo (paper, step 9)."""

from collections.abc import Callable

from services.matcher import decisions
from services.matcher.decisions import WrongStateError
from services.matcher.noting import Noting
from services.matcher.reviews.store import ReviewStore
from services.matcher.store import MatcherStore
from srpitp_contracts.matching import (
    Match,
    MatchWithSightings,
    ReviewItem,
    ReviewRequest,
    UndoRequest,
)
from srpitp_contracts.model import utc_now
from srpitp_contracts.pages import Page
from srpitp_servicekit.auth import Caller
from srpitp_servicekit.mongo import Session
from srpitp_servicekit.problems import ConflictError, NotFoundError

Decide = Callable[[Match], Match]


class ReviewService:
    """Takes the reviewers' decisions."""

    def __init__(self, store: MatcherStore, waiting: ReviewStore, noting: Noting) -> None:
        self._store = store
        self._waiting = waiting
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
        decided = await self.decide(id_, request, caller)
        return await self._store.match_with_sightings(decided)

    async def decide(
        self, id_: str, request: ReviewRequest, caller: Caller, *, owner_id: str | None = None
    ) -> Match:
        """Do the same for one of many; it is found sooner by its owner."""
        by, now = _who(caller), utc_now()
        return await self._decide(
            id_,
            lambda match: decisions.reviewed(
                match, request.decision, by=by, at=now, note=request.note
            ),
            owner_id,
        )

    async def queue(
        self, *, owner_id: str | None, protected_id: str | None, limit: int, cursor: str | None
    ) -> Page[ReviewItem]:
        """List the detected images that wait for a reviewer, the nearest first."""
        named = {"owner_id": owner_id, "protected_id": protected_id}
        query = {name: value for name, value in named.items() if value is not None}
        ids, behind = await self._waiting.queue(query, limit=limit, cursor=cursor)
        # Those that were decided in between are left out.
        candidates = await self._waiting.candidates(query, ids)
        items = [await self._item(candidates[id_]) for id_ in ids if candidates.get(id_)]
        return Page(items=items, next_cursor=behind)

    async def _item(self, candidates: list[Match]) -> ReviewItem:
        nearest = candidates[0]
        shared = {"detected_id", "detected_digest", "detected_tag", "image_address"}
        return ReviewItem(
            **nearest.model_dump(include=shared),
            candidates=candidates,
            sightings=await self._store.sightings(nearest.detected_id),
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
        undone = await self._decide(
            id_, lambda match: decisions.undone(match, by=by, at=now, note=request.note)
        )
        return await self._store.match_with_sightings(undone)

    async def _decide(self, id_: str, decide: Decide, owner_id: str | None = None) -> Match:
        async def work(session: Session) -> Match:
            match = await self._store.match(id_, owner_id=owner_id, session=session)
            if match is None:
                raise NotFoundError(f"There is no match {id_}.")
            try:
                decided = decide(match)
            except WrongStateError as error:
                raise ConflictError(str(error)) from error
            return await self._noting.write(session, match, decided)

        decided = await self._store.transaction(work)
        self._noting.wake()
        return decided


def _who(caller: Caller) -> str:
    return f"key:{caller.key_id}"
