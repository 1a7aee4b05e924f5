"""One decision on many matches: which of them a reviewer means, and how far it is carried out.

Each match is decided in a transaction of its own, with the message that tells of it. So whatever
ends a request in its middle, what was decided stays decided, and the same request goes on there.
"""

from collections.abc import AsyncIterator
from itertools import islice

from services.matcher.reviews.service import ReviewService
from services.matcher.reviews.store import ReviewStore, Waiting
from services.matcher.suppression.rules import Shown, same_name
from srpitp_contracts.matching import BulkReviewOutcome, BulkReviewRequest, ReviewRequest
from srpitp_contracts.places import read_site, same_page
from srpitp_servicekit.auth import Caller
from srpitp_servicekit.problems import ConflictError, NotFoundError


class BulkReview:
    """Takes decisions on many matches."""

    def __init__(self, store: ReviewStore, reviews: ReviewService) -> None:
        self._store = store
        self._reviews = reviews

    async def review(self, request: BulkReviewRequest, caller: Caller) -> BulkReviewOutcome:
        """Decide what is in review and meets a request, up to its limit."""
        meant = [one async for one in self._meant(request, at_most=request.limit + 1)]
        decision = ReviewRequest(decision=request.decision, note=request.note)
        skipped = 0
        for one in islice(meant, request.limit):
            try:
                await self._reviews.decide(one.id, decision, caller, owner_id=one.owner_id)
            except (ConflictError, NotFoundError):
                skipped += 1
        taken = min(len(meant), request.limit)
        return BulkReviewOutcome(
            decided=taken - skipped, skipped=skipped, more=len(meant) > request.limit
        )

    async def _meant(self, request: BulkReviewRequest, *, at_most: int) -> AsyncIterator[Waiting]:
        found = 0
        async for batch in self._store.waiting(request):
            for one in await self._of_pages(request, batch):
                yield one
                found += 1
                if found == at_most:
                    return

    async def _of_pages(self, request: BulkReviewRequest, batch: list[Waiting]) -> list[Waiting]:
        if request.page_address is None and request.site is None and request.uploader is None:
            return batch
        detected = sorted({one.detected_id for one in batch})
        meant = {id_ async for id_, shown in self._store.shown(detected) if meets(request, shown)}
        return [one for one in batch if one.detected_id in meant]


def meets(request: BulkReviewRequest, shown: Shown) -> bool:
    """Return whether a page meets all that a request says of pages."""
    if request.page_address is not None and not same_page(request.page_address, shown.page_address):
        return False
    if request.site is not None and not read_site(request.site).holds(shown.page_address):
        return False
    return request.uploader is None or same_name(shown.uploader, request.uploader)
