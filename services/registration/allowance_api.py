"""The routes of allowances."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from services.registration.allowances import AllowanceService
from services.registration.owners import owner_for
from srpitp_contracts.allowances import Allowance, AllowanceRequest
from srpitp_contracts.model import Identifier
from srpitp_contracts.pages import Page
from srpitp_servicekit.auth import OwnerCaller, ReaderCaller
from srpitp_servicekit.idempotency import IdempotencyKey, id_for
from srpitp_servicekit.paging import Cursor, Limit
from srpitp_servicekit.problems import responses

router = APIRouter(prefix="/allowances", tags=["allowances"])


def _allowances(request: Request) -> AllowanceService:
    service: AllowanceService = request.app.state.allowances
    return service


Allowances = Annotated[AllowanceService, Depends(_allowances)]
OwnerId = Annotated[
    Identifier | None,
    Query(description="whose; for keys that belong to no owner, or may see several"),
]


@router.post("", status_code=201, responses=responses(404, 409))
async def create_allowance(
    request: AllowanceRequest,
    allowances: Allowances,
    caller: OwnerCaller,
    owner_id: OwnerId = None,
    idempotency_key: IdempotencyKey = None,
) -> Allowance:
    """Say where your photos may be shown: matches there are noted, and nobody is alerted.

    A match is suppressed if allowances cover every page that shows the copy. What an uploader or
    a page says of itself is only what the page states: name a site that you trust to know them.
    """
    whose = owner_for(caller, owner_id)
    id_ = id_for(caller, "allowances", idempotency_key)
    return await allowances.allow(request, owner_id=whose, allowance_id=id_)


@router.get("", responses=responses(404))
async def list_allowances(
    allowances: Allowances,
    caller: ReaderCaller,
    owner_id: OwnerId = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[Allowance]:
    """List allowances, newest first, also those that are over or still to come."""
    return await allowances.allowances(caller, owner_id=owner_id, limit=limit, cursor=cursor)


@router.delete("/{allowance_id}", status_code=204, responses=responses(404))
async def delete_allowance(
    allowance_id: Identifier, allowances: Allowances, caller: OwnerCaller
) -> None:
    """End an allowance at once; matches that only it covered are judged anew."""
    await allowances.end(allowance_id, caller)
