"""The routes of the registration service."""

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from services.registration.allowance_api import router as allowance_router
from services.registration.owners import OwnerService, owner_for
from services.registration.service import ImageService
from services.registration.settings import Settings
from srpitp_contracts.model import Identifier
from srpitp_contracts.pages import Page
from srpitp_contracts.registration import (
    ImageByAddress,
    ImageDetails,
    IssuedKey,
    Key,
    KeyRequest,
    Owner,
    OwnerChange,
    OwnerRequest,
    ProtectedImage,
    ProtectionPeriod,
)
from srpitp_servicekit.auth import AdminCaller, FileCaller, OwnerCaller, ReaderCaller
from srpitp_servicekit.idempotency import IdempotencyKey, id_for
from srpitp_servicekit.paging import Cursor, Limit
from srpitp_servicekit.problems import InvalidRequestError, responses
from srpitp_servicekit.uploads import Form, is_form, received_form

router = APIRouter()
router.include_router(allowance_router)

Details = TypeVar("Details", bound=ImageDetails)

_SUBMITTED: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "title": {"type": "string", "maxLength": 500},
                        "protected_from": {"type": "string", "format": "date-time"},
                        "protected_until": {"type": "string", "format": "date-time"},
                    },
                }
            },
            "application/json": {"schema": ImageByAddress.model_json_schema()},
        },
    }
}
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}}
}


def _owners(request: Request) -> OwnerService:
    service: OwnerService = request.app.state.owners
    return service


def _images(request: Request) -> ImageService:
    service: ImageService = request.app.state.service
    return service


Owners = Annotated[OwnerService, Depends(_owners)]
Images = Annotated[ImageService, Depends(_images)]
OwnerId = Annotated[
    Identifier | None,
    Query(description="whose; for keys that belong to no owner, or may see several"),
]


@router.post("/owners", status_code=201, tags=["owners"], responses=responses(409))
async def create_owner(
    request: OwnerRequest,
    owners: Owners,
    caller: AdminCaller,
    idempotency_key: IdempotencyKey = None,
) -> Owner:
    """Make an owner."""
    return await owners.add_owner(request, id_for(caller, "owners", idempotency_key))


@router.get("/owners", tags=["owners"], responses=responses())
async def list_owners(
    owners: Owners, _: AdminCaller, limit: Limit = 100, cursor: Cursor = None
) -> Page[Owner]:
    """List all owners, newest first."""
    return await owners.owners(limit=limit, cursor=cursor)


@router.get("/owners/{owner_id}", tags=["owners"], responses=responses(404))
async def get_owner(owner_id: Identifier, owners: Owners, caller: ReaderCaller) -> Owner:
    """Show an owner."""
    return await owners.owner(owner_id, caller)


@router.patch("/owners/{owner_id}", tags=["owners"], responses=responses(404))
async def change_owner(
    owner_id: Identifier, change: OwnerChange, owners: Owners, caller: OwnerCaller
) -> Owner:
    """Change of which matches an owner is alerted; a field that is left out stays as it is."""
    return await owners.change_owner(owner_id, change, caller)


@router.post("/owners/{owner_id}/keys", status_code=201, tags=["keys"], responses=responses(404))
async def issue_owner_key(
    owner_id: Identifier, request: KeyRequest, owners: Owners, caller: OwnerCaller
) -> IssuedKey:
    """Make a key for an owner; its secret is shown only now."""
    return await owners.issue_key(request, caller, owner_id=owner_id)


@router.get("/owners/{owner_id}/keys", tags=["keys"], responses=responses(404))
async def list_owner_keys(
    owner_id: Identifier,
    owners: Owners,
    caller: OwnerCaller,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[Key]:
    """List an owner's keys, newest first."""
    return await owners.keys(caller, owner_id=owner_id, limit=limit, cursor=cursor)


@router.post("/keys", status_code=201, tags=["keys"], responses=responses())
async def issue_key(request: KeyRequest, owners: Owners, caller: AdminCaller) -> IssuedKey:
    """Make a key for a reviewer, an administrator or a service; its secret is shown only now."""
    return await owners.issue_key(request, caller, owner_id=None)


@router.get("/keys", tags=["keys"], responses=responses())
async def list_keys(
    owners: Owners, caller: OwnerCaller, limit: Limit = 100, cursor: Cursor = None
) -> Page[Key]:
    """List the keys that you may revoke, newest first."""
    return await owners.keys(caller, owner_id=None, limit=limit, cursor=cursor)


@router.delete("/keys/{key_id}", status_code=204, tags=["keys"], responses=responses(404))
async def revoke_key(key_id: Identifier, owners: Owners, caller: OwnerCaller) -> None:
    """Make a key worthless; it stays listed."""
    await owners.revoke_key(key_id, caller)


def _owner_id(caller: OwnerCaller, owner_id: OwnerId = None) -> str:
    return owner_for(caller, owner_id)


ActingFor = Annotated[str, Depends(_owner_id)]


async def _submitted(request: Request, _: ActingFor) -> AsyncIterator[Form | ImageByAddress]:
    """Read what is to be protected, once the caller is known: a file, or where it lies."""
    settings: Settings = request.app.state.settings
    kind = request.headers.get("content-type", "").lower()
    if is_form(request):
        async with received_form(request, max_bytes=settings.image_max_bytes) as form:
            yield form
    elif kind.startswith("application/json"):
        yield _validated(ImageByAddress.model_validate_json, await request.body())
    else:
        raise InvalidRequestError(
            "Send multipart/form-data with the image in the field 'file', or JSON with its "
            "'address' for an image that we shall fetch."
        )


Submitted = Annotated[Form | ImageByAddress, Depends(_submitted)]


def _validated(validate: Callable[[Any], Details], value: object) -> Details:
    try:
        return validate(value)
    except ValidationError as error:
        errors = [{**item, "loc": ("body", *item["loc"])} for item in error.errors()]
        raise RequestValidationError(errors) from error


@router.post(
    "/images",
    status_code=201,
    tags=["images"],
    responses=responses(404, 409, 413, 415),
    openapi_extra=_SUBMITTED,
)
async def protect_image(
    images: Images,
    caller: OwnerCaller,
    owner_id: ActingFor,
    submitted: Submitted,
    idempotency_key: IdempotencyKey = None,
) -> ProtectedImage:
    """Put an image under protection: a file, or one that we fetch from its address."""
    image_id = id_for(caller, "images", idempotency_key)
    if isinstance(submitted, ImageByAddress):
        return await images.register_address(submitted, owner_id=owner_id, image_id=image_id)
    given = {name: value for name, value in submitted.fields.items() if value}
    details = _validated(ImageDetails.model_validate, given)
    return await images.register_file(submitted.file, details, owner_id=owner_id, image_id=image_id)


@router.get("/images", tags=["images"], responses=responses(404))
async def list_images(
    images: Images,
    caller: ReaderCaller,
    owner_id: OwnerId = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[ProtectedImage]:
    """List protected images, newest first."""
    return await images.images(caller, owner_id=owner_id, limit=limit, cursor=cursor)


@router.get("/images/{image_id}", tags=["images"], responses=responses(404))
async def get_image(image_id: Identifier, images: Images, caller: ReaderCaller) -> ProtectedImage:
    """Show a protected image."""
    return await images.image(image_id, caller)


@router.get(
    "/images/{image_id}/file",
    tags=["images"],
    response_class=Response,
    responses=_FILE | responses(404),
)
async def get_image_file(image_id: Identifier, images: Images, caller: FileCaller) -> Response:
    """Download an image's file as it was registered."""
    image = await images.image(image_id, caller)
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-store"}
    data = await images.file(image)
    return Response(data, media_type=f"image/{image.format}", headers=headers)


@router.patch("/images/{image_id}", tags=["images"], responses=responses(404, 409))
async def change_protection_period(
    image_id: Identifier, period: ProtectionPeriod, images: Images, caller: OwnerCaller
) -> ProtectedImage:
    """Change when an image is protected; a field that is left out stays as it is."""
    return await images.change_period(image_id, period, caller)


@router.delete("/images/{image_id}", status_code=204, tags=["images"], responses=responses(404))
async def delete_image(image_id: Identifier, images: Images, caller: OwnerCaller) -> None:
    """End an image's protection and delete its file."""
    await images.delete(image_id, caller)
