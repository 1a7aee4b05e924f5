"""The routes of the crawler."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from services.crawler.service import CrawlerService
from srpitp_contracts.crawling import (
    Crawl,
    CrawlState,
    DetectedImage,
    DetectedImageWithSightings,
    RetainRequest,
    Site,
    SiteRequest,
)
from srpitp_contracts.model import Identifier
from srpitp_contracts.pages import Page
from srpitp_contracts.registration import Scope
from srpitp_servicekit.auth import AdminCaller, Caller, ReviewerCaller, ServiceCaller, require
from srpitp_servicekit.idempotency import IdempotencyKey
from srpitp_servicekit.paging import Cursor, Limit
from srpitp_servicekit.problems import responses

router = APIRouter()


def _service(request: Request) -> CrawlerService:
    service: CrawlerService = request.app.state.service
    return service


EvidenceCaller = Annotated[Caller, Depends(require(Scope.REVIEWER, Scope.SERVICE))]
Service = Annotated[CrawlerService, Depends(_service)]


@router.post("/sites", tags=["sites"], status_code=201, responses=responses())
async def add_site(
    request: SiteRequest,
    service: Service,
    caller: AdminCaller,
    idempotency_key: IdempotencyKey = None,
) -> Site:
    """Monitor a site: it is crawled at once, and then again and again."""
    return await service.add_site(request, caller, idempotency_key)


@router.get("/sites", tags=["sites"], responses=responses())
async def list_sites(
    service: Service, _: ReviewerCaller, limit: Limit = 100, cursor: Cursor = None
) -> Page[Site]:
    """List the monitored sites, newest first."""
    return await service.sites(limit=limit, cursor=cursor)


@router.get("/sites/{site_id}", tags=["sites"], responses=responses(404))
async def get_site(site_id: Identifier, service: Service, _: ReviewerCaller) -> Site:
    """Show a site."""
    return await service.site(site_id)


@router.delete("/sites/{site_id}", tags=["sites"], status_code=204, responses=responses(404))
async def delete_site(site_id: Identifier, service: Service, _: AdminCaller) -> None:
    """Monitor a site no more; what was found on it stays."""
    await service.delete_site(site_id)


@router.post(
    "/sites/{site_id}/crawls", tags=["crawls"], status_code=202, responses=responses(404, 409)
)
async def request_crawl(site_id: Identifier, service: Service, _: AdminCaller) -> Crawl:
    """Crawl a site now; the answer is the crawl that waits or runs, if there is one."""
    return await service.request_crawl(site_id)


@router.get("/crawls", tags=["crawls"], responses=responses())
async def list_crawls(
    service: Service,
    _: ReviewerCaller,
    site_id: Annotated[Identifier | None, Query()] = None,
    state: Annotated[CrawlState | None, Query()] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[Crawl]:
    """List crawls, newest first."""
    return await service.crawls(site_id, state, limit=limit, cursor=cursor)


@router.get("/crawls/{crawl_id}", tags=["crawls"], responses=responses(404))
async def get_crawl(crawl_id: Identifier, service: Service, _: ReviewerCaller) -> Crawl:
    """Show a crawl; its counts move while it runs."""
    return await service.crawl(crawl_id)


@router.get("/detected", tags=["detected"], responses=responses())
async def list_detected(
    service: Service,
    _: ReviewerCaller,
    site_id: Annotated[Identifier | None, Query()] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[DetectedImage]:
    """List detected images, newest first."""
    return await service.detected(site_id, limit=limit, cursor=cursor)


@router.get("/detected/{detected_id}", tags=["detected"], responses=responses(404))
async def get_detected(
    detected_id: Identifier, service: Service, _: ReviewerCaller
) -> DetectedImageWithSightings:
    """Show a detected image with every page that shows it."""
    return await service.detected_image(detected_id)


@router.get(
    "/detected/{detected_id}/file",
    tags=["detected"],
    response_class=Response,
    responses={200: {"content": {"image/*": {}}}, **responses(404)},
)
async def get_detected_file(
    detected_id: Identifier, service: Service, _: EvidenceCaller
) -> Response:
    """Download the bytes as they were served to us."""
    data, image_format = await service.file(detected_id)
    # A stranger's bytes: named by what we found them to be, and never run.
    headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
    return Response(data, media_type=f"image/{image_format}", headers=headers)


@router.put(
    "/detected/{detected_id}/retained", tags=["internal"], status_code=204, responses=responses()
)
async def retain_detected(
    detected_id: Identifier, request: RetainRequest, service: Service, _: ServiceCaller
) -> None:
    """Keep a detected image as evidence of a match."""
    await service.retain(request.tag, detected_id)
