"""The routes by which reviewers search, and see which thresholds are in force."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from services.matcher.search.service import Search
from services.matcher.settings import Settings
from srpitp_contracts.matching import SearchResult, Thresholds
from srpitp_servicekit.auth import ReviewerCaller
from srpitp_servicekit.problems import responses
from srpitp_servicekit.uploads import IMAGE_BODY, UploadFile, received_file

router = APIRouter()


def _search(request: Request) -> Search:
    search: Search = request.app.state.search
    return search


Searching = Annotated[Search, Depends(_search)]


async def _image(request: Request, _: ReviewerCaller) -> AsyncIterator[UploadFile]:
    settings: Settings = request.app.state.settings
    async with received_file(request, max_bytes=settings.image_max_bytes) as image:
        yield image


@router.post("/search", tags=["search"], responses=responses(413, 415), openapi_extra=IMAGE_BODY)
async def search_image(
    image: Annotated[UploadFile, Depends(_image)], search: Searching
) -> SearchResult:
    """Compare an image with all protected ones; nothing of it is kept."""
    return await search.search(await image.read())


@router.get("/thresholds", tags=["search"], responses=responses())
async def show_thresholds(search: Searching, _: ReviewerCaller) -> Thresholds:
    """Show which thresholds are in force for as many images as are protected now, and why."""
    return search.thresholds
