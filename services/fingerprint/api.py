"""The interface of the fingerprint service."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from services.fingerprint.service import FingerprintService
from services.fingerprint.settings import Settings
from srpitp_contracts.fingerprints import Extraction, Purpose
from srpitp_contracts.registration import Scope
from srpitp_servicekit.auth import Caller, require
from srpitp_servicekit.problems import responses
from srpitp_servicekit.uploads import UploadFile, received_file

router = APIRouter(tags=["fingerprints"])

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FORM = {
    "schema": {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "string", "format": "binary"}},
    }
}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": _BINARY,
            "image/*": _BINARY,
            "multipart/form-data": _FORM,
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


@router.post(
    "/fingerprints",
    responses=responses(413, 415),
    openapi_extra=_BODY,
)
async def extract_fingerprints(
    image: Annotated[UploadFile, Depends(_image)],
    service: Service,
    purpose: Purpose = Purpose.PROTECTED,
) -> Extraction:
    """Fingerprint an image; nothing of it is kept."""
    return await service.extract(image, purpose)
