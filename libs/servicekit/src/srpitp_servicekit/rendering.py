"""How errors are answered: whatever a route raises becomes a problem, RFC 9457."""

import logging
from collections.abc import Mapping
from http import HTTPStatus

from asgi_correlation_id import correlation_id
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from srpitp_contracts.problems import FieldError, Problem, ProblemCode
from srpitp_servicekit.mongo import PyMongoError, is_unavailable
from srpitp_servicekit.problems import MEDIA_TYPE, ProblemError, StoreUnavailableError

logger = logging.getLogger(__name__)

_CODE_OF_STATUS = {
    401: ProblemCode.NOT_AUTHENTICATED,
    403: ProblemCode.NOT_ALLOWED,
    404: ProblemCode.NOT_FOUND,
    405: ProblemCode.METHOD_NOT_ALLOWED,
    409: ProblemCode.CONFLICT,
    503: ProblemCode.SERVICE_UNAVAILABLE,
}


def _response(
    status: int,
    code: ProblemCode,
    detail: str,
    *,
    errors: list[FieldError] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    problem = Problem(
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        instance=correlation_id.get(),
        errors=errors,
    )
    return JSONResponse(
        problem.model_dump(mode="json", exclude_none=True),
        status_code=status,
        headers=dict(headers or {}),
        media_type=MEDIA_TYPE,
    )


async def _render_problem(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ProblemError)  # noqa: S101  (the handler's registration says so)
    return _response(error.status, error.code, error.detail, headers=error.headers)


async def _render_validation(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    fields = [
        FieldError(field=".".join(map(str, item["loc"])), message=str(item["msg"]))
        for item in error.errors()
    ]
    named = "; ".join(f"{field.field}: {field.message}" for field in fields[:3])
    return _response(
        422, ProblemCode.INVALID_REQUEST, f"The request cannot be taken: {named}", errors=fields
    )


async def _render_http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    code = _CODE_OF_STATUS.get(error.status_code, ProblemCode.INVALID_REQUEST)
    return _response(error.status_code, code, str(error.detail), headers=error.headers)


async def _render_unexpected(request: Request, error: Exception) -> JSONResponse:
    """Answer 500 and log what happened; the caller learns nothing of our insides."""
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _response(
        500,
        ProblemCode.INTERNAL_ERROR,
        "Something went wrong on our side; try again, and quote 'instance' if it stays.",
    )


async def _render_store_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PyMongoError)  # noqa: S101
    if not is_unavailable(error):
        return await _render_unexpected(request, error)
    return await _render_problem(
        request, StoreUnavailableError("The database is away for the moment; try again soon.")
    )


def install(app: FastAPI) -> None:
    """Make every error of an app a problem; while MongoDB is away, one with status 503."""
    app.add_exception_handler(ProblemError, _render_problem)
    app.add_exception_handler(RequestValidationError, _render_validation)
    app.add_exception_handler(HTTPException, _render_http)
    app.add_exception_handler(PyMongoError, _render_store_error)
    app.add_exception_handler(Exception, _render_unexpected)
