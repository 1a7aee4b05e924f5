"""The routes about what suppresses matches."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from services.matcher.suppression.judging import Judging
from services.matcher.suppression.service import ExclusionService
from srpitp_contracts.allowances import AllowanceEvent
from srpitp_contracts.matching import Exclusion, ExclusionRequest
from srpitp_contracts.model import Identifier
from srpitp_contracts.pages import Page
from srpitp_servicekit.auth import ReviewerCaller, ServiceCaller
from srpitp_servicekit.paging import Cursor, Limit
from srpitp_servicekit.problems import responses

router = APIRouter()


def _exclusions(request: Request) -> ExclusionService:
    exclusions: ExclusionService = request.app.state.exclusions
    return exclusions


def _judging(request: Request) -> Judging:
    judging: Judging = request.app.state.judging
    return judging


Exclusions = Annotated[ExclusionService, Depends(_exclusions)]
Judge = Annotated[Judging, Depends(_judging)]


@router.post("/exclusions", tags=["exclusions"], status_code=201, responses=responses(404, 409))
async def create_exclusion(
    request: ExclusionRequest, exclusions: Exclusions, caller: ReviewerCaller
) -> Exclusion:
    """Exclude an image that matches too much: it and what is nearly the same alert nobody.

    What waits for a review is suppressed; what was confirmed or rejected stays so.
    """
    return await exclusions.exclude(request, caller)


@router.get("/exclusions", tags=["exclusions"], responses=responses())
async def list_exclusions(
    exclusions: Exclusions, _: ReviewerCaller, limit: Limit = 100, cursor: Cursor = None
) -> Page[Exclusion]:
    """List the excluded images, newest first."""
    return await exclusions.exclusions(limit=limit, cursor=cursor)


@router.delete(
    "/exclusions/{exclusion_id}", tags=["exclusions"], status_code=204, responses=responses(404)
)
async def delete_exclusion(
    exclusion_id: Identifier, exclusions: Exclusions, _: ReviewerCaller
) -> None:
    """End an exclusion; what it suppressed is judged anew, and alerted if that is due."""
    await exclusions.end(exclusion_id)


@router.put("/allowances/{allowance_id}", tags=["internal"], status_code=204, responses=responses())
async def judge_by_allowance(
    allowance_id: Identifier, event: AllowanceEvent, judging: Judge, _: ServiceCaller
) -> None:
    """Judge an owner's matches anew, since an allowance begins or ends."""
    await judging.anew(f"allowance:{allowance_id}", event.owner_id, event.at)
