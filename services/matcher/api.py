"""The routes of the matcher."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from services.matcher.reviews.api import router as review_router
from services.matcher.runs.api import router as run_router
from services.matcher.search.api import router as search_router
from services.matcher.service import MatcherService
from services.matcher.suppression.api import router as suppression_router
from srpitp_contracts.matching import (
    DetectedEvent,
    Match,
    MatchingOutcome,
    MatchState,
    MatchWithSightings,
    ProtectedEvent,
)
from srpitp_contracts.model import Identifier
from srpitp_contracts.pages import Page
from srpitp_servicekit.auth import ReaderCaller, ServiceCaller
from srpitp_servicekit.paging import Cursor, Limit
from srpitp_servicekit.problems import responses

router = APIRouter()
router.include_router(review_router)
router.include_router(run_router)
router.include_router(suppression_router)
router.include_router(search_router)


def _service(request: Request) -> MatcherService:
    service: MatcherService = request.app.state.service
    return service


Service = Annotated[MatcherService, Depends(_service)]


@router.put("/detected/{detected_id}", tags=["internal"], responses=responses())
async def match_detected(
    detected_id: Identifier, event: DetectedEvent, service: Service, _: ServiceCaller
) -> MatchingOutcome:
    """Compare a detected image with the protected ones."""
    return await service.match_detected(detected_id, event.tag)


@router.put("/protected/{protected_id}", tags=["internal"], responses=responses())
async def match_protected(
    protected_id: Identifier, event: ProtectedEvent, service: Service, _: ServiceCaller
) -> MatchingOutcome:
    """Compare a protected image with what was detected before."""
    return await service.match_protected(protected_id, event.tag)


@router.get("/matches", tags=["matches"], responses=responses())
async def list_matches(
    service: Service,
    caller: ReaderCaller,
    state: Annotated[MatchState | None, Query()] = None,
    protected_id: Annotated[Identifier | None, Query()] = None,
    detected_id: Annotated[Identifier | None, Query()] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[Match]:
    """List matches, newest first; an owner sees those of its own images."""
    return await service.matches(
        caller,
        state=state,
        protected_id=protected_id,
        detected_id=detected_id,
        limit=limit,
        cursor=cursor,
    )


@router.get("/matches/{match_id}", tags=["matches"], responses=responses(404))
async def get_match(
    match_id: Identifier, service: Service, caller: ReaderCaller
) -> MatchWithSightings:
    """Show a match with when, where and by whom the copy was published."""
    return await service.match(match_id, caller)
