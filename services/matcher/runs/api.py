"""The routes of runs."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from services.matcher.runs.service import RunService
from srpitp_contracts.model import Identifier
from srpitp_contracts.pages import Page
from srpitp_contracts.runs import Run, RunKind, RunRequest, RunState
from srpitp_servicekit.auth import AdminCaller
from srpitp_servicekit.idempotency import IdempotencyKey
from srpitp_servicekit.paging import Cursor, Limit
from srpitp_servicekit.problems import responses

router = APIRouter(prefix="/runs", tags=["runs"])


def _runs(request: Request) -> RunService:
    service: RunService = request.app.state.runs
    return service


Runs = Annotated[RunService, Depends(_runs)]


@router.post("", status_code=202, responses=responses())
async def start_run(
    request: RunRequest, runs: Runs, caller: AdminCaller, idempotency_key: IdempotencyKey = None
) -> Run:
    """Have Spark compare or describe many images; the run is launched as soon as there is room."""
    return await runs.start(request, caller, idempotency_key)


@router.get("", responses=responses())
async def list_runs(
    runs: Runs,
    _: AdminCaller,
    kind: Annotated[RunKind | None, Query()] = None,
    state: Annotated[RunState | None, Query()] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[Run]:
    """List runs, newest first."""
    return await runs.runs(kind=kind, state=state, limit=limit, cursor=cursor)


@router.get("/{run_id}", responses=responses(404))
async def get_run(run_id: Identifier, runs: Runs, _: AdminCaller) -> Run:
    """Show a run; its counts and progress move while it goes on."""
    return await runs.run(run_id)


@router.delete("/{run_id}", responses=responses(404, 409))
async def cancel_run(run_id: Identifier, runs: Runs, _: AdminCaller) -> Run:
    """Cancel a run and end its job; the matches that it wrote stay."""
    return await runs.cancel(run_id)
