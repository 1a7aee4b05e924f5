"""The routes by which reviewers decide."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from services.matcher.reviews.bulk import BulkReview
from services.matcher.reviews.pictures import Pictures
from services.matcher.reviews.service import ReviewService
from services.matcher.service import MatcherService
from srpitp_contracts.comparisons import PictureKind
from srpitp_contracts.matching import (
    BulkReviewOutcome,
    BulkReviewRequest,
    MatchWithSightings,
    ReviewItem,
    ReviewRequest,
    UndoRequest,
)
from srpitp_contracts.model import Identifier
from srpitp_contracts.pages import Page
from srpitp_servicekit.auth import ReaderCaller, ReviewerCaller
from srpitp_servicekit.paging import Cursor, Limit
from srpitp_servicekit.problems import responses

router = APIRouter()

# Drawn of a stranger's bytes: shown as what it is, to nobody else.
_PRIVATE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox",
    "Cache-Control": "private, no-store",
}


def _reviews(request: Request) -> ReviewService:
    reviews: ReviewService = request.app.state.reviews
    return reviews


def _bulk(request: Request) -> BulkReview:
    bulk: BulkReview = request.app.state.bulk
    return bulk


def _pictures(request: Request) -> Pictures:
    pictures: Pictures = request.app.state.pictures
    return pictures


def _service(request: Request) -> MatcherService:
    service: MatcherService = request.app.state.service
    return service


Service = Annotated[MatcherService, Depends(_service)]
Draws = Annotated[Pictures, Depends(_pictures)]
Bulk = Annotated[BulkReview, Depends(_bulk)]
Reviews = Annotated[ReviewService, Depends(_reviews)]


@router.get("/review", tags=["reviews"], responses=responses())
async def list_review_queue(
    reviews: Reviews,
    _: ReviewerCaller,
    owner_id: Annotated[Identifier | None, Query()] = None,
    protected_id: Annotated[Identifier | None, Query()] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Page[ReviewItem]:
    """List the detected images that wait for a reviewer, each with all that it may show.

    The nearest come first, and so do the candidates of each.
    """
    return await reviews.queue(
        owner_id=owner_id, protected_id=protected_id, limit=limit, cursor=cursor
    )


@router.post("/reviews", tags=["reviews"], responses=responses())
async def review_many(
    request: BulkReviewRequest, bulk: Bulk, caller: ReviewerCaller
) -> BulkReviewOutcome:
    """Confirm or reject everything in review that meets all conditions that are given.

    Send the same request again while there are `more`, or when no answer came: what was decided
    is not decided twice.
    """
    return await bulk.review(request, caller)


@router.get(
    "/matches/{match_id}/picture",
    tags=["matches"],
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}, **responses(404)},
)
async def get_match_picture(
    match_id: Identifier,
    service: Service,
    pictures: Draws,
    caller: ReaderCaller,
    kind: PictureKind = PictureKind.SIDE_BY_SIDE,
) -> Response:
    """Show the photo and its copy, the copy laid where the match says that it lies in the photo."""
    match = await service.match(match_id, caller)
    return Response(await pictures.of(match, kind), media_type="image/jpeg", headers=_PRIVATE)


@router.post("/matches/{match_id}/review", tags=["reviews"], responses=responses(404, 409))
async def review_match(
    match_id: Identifier, request: ReviewRequest, reviews: Reviews, caller: ReviewerCaller
) -> MatchWithSightings:
    """Confirm or reject a match that is in review; a confirmed one is alerted at once."""
    return await reviews.review(match_id, request, caller)


@router.post("/matches/{match_id}/undo", tags=["reviews"], responses=responses(404, 409))
async def undo_decision(
    match_id: Identifier, request: UndoRequest, reviews: Reviews, caller: ReviewerCaller
) -> MatchWithSightings:
    """Put a match that was confirmed or rejected, by a reviewer or by rule, back into review.

    An alert that was sent cannot be unsent. If the owner was told that the match is confirmed,
    `match.withdrawn` follows; if it is confirmed anew after that, `match.confirmed` is told once
    more, and once only. `alerted` in the answer says what the owner was told last.
    """
    return await reviews.undo(match_id, request, caller)
