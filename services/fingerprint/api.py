"""The interface of the fingerprint service."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from services.fingerprint.service import FingerprintService
from services.fingerprint.settings import Settings
from srpitp_contracts.comparisons import ComparisonRequest
from srpitp_contracts.fingerprints import Extraction, Purpose
from srpitp_contracts.registration import Scope
from srpitp_servicekit.auth import Caller, ServiceCaller, require
from srpitp_servicekit.problems import responses
from srpitp_servicekit.uploads import IMAGE_BODY, Files, UploadFile, received_file, received_files

router = APIRouter(tags=["fingerprints"])

_COMPARED: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["detected", "protected"],
                    "properties": {
                        "detected": {"type": "string", "format": "binary"},
                        "protected": {"type": "string", "format": "binary"},
                        "request": {
                            "type": "string",
                            "contentMediaType": "application/json",
                            "description": "`kind`, `orientation`, `transform`, `negative`",
                        },
                    },
                }
            }
        },
    }
}


def _service(request: Request) -> FingerprintService:
    service: FingerprintService = request.app.state.service
    return service


Service = Annotated[FingerprintService, Depends(_service)]
ImageCaller = Annotated[Caller, Depends(require(Scope.OWNER, Scope.SERVICE))]


async def _image(request: Request, _: ImageCaller, service: Service) -> AsyncIterator[UploadFile]:
    settings: Settings = request.app.state.settings
    service.refuse_when_full()
    async with received_file(request, max_bytes=settings.image_max_bytes) as image:
        yield image


async def _compared(request: Request, _: ServiceCaller, service: Service) -> AsyncIterator[Files]:
    settings: Settings = request.app.state.settings
    service.refuse_when_full()
    async with received_files(
        request, "detected", "protected", max_bytes=settings.image_max_bytes
    ) as files:
        yield files


@router.post(
    "/comparisons",
    tags=["internal"],
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}, **responses(413, 415)},
    openapi_extra=_COMPARED,
)
async def draw_comparison(
    files: Annotated[Files, Depends(_compared)], service: Service
) -> Response:
    """Draw two images aligned, for a person to compare; nothing of them is kept."""
    try:
        wanted = ComparisonRequest.model_validate_json(files.fields.get("request", "{}"))
    except ValidationError as error:
        errors = [{**one, "loc": ("body", "request", *one["loc"])} for one in error.errors()]
        raise RequestValidationError(errors) from error
    picture = await service.draw(files.files["detected"], files.files["protected"], wanted)
    return Response(picture, media_type="image/jpeg")


@router.post(
    "/fingerprints",
    responses=responses(413, 415),
    openapi_extra=IMAGE_BODY,
)
async def extract_fingerprints(
    image: Annotated[UploadFile, Depends(_image)],
    service: Service,
    purpose: Purpose = Purpose.PROTECTED,
) -> Extraction:
    """Fingerprint an image; nothing of it is kept."""
    return await service.extract(image, purpose)
