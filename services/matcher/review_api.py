"""The routes by which reviewers decide."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from services.matcher.reviews import ReviewService
from srpitp_contracts.matching import MatchWithSightings, ReviewRequest, UndoRequest
from srpitp_contracts.model import Identifier
from srpitp_servicekit.auth import ReviewerCaller
from srpitp_servicekit.problems import responses

router = APIRouter()


def _reviews(request: Request) -> ReviewService:
    reviews: ReviewService = request.app.state.reviews
    return reviews


Reviews = Annotated[ReviewService, Depends(_reviews)]


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
