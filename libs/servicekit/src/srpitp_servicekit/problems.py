"""Errors that a caller sees: each carries its status and code; one handler renders them all."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from asgi_correlation_id import correlation_id
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from srpitp_contracts.problems import FieldError, Problem, ProblemCode

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


class ProblemError(Exception):
    """An error with an answer for the caller; ``detail`` says what to do about it."""

    status: HTTPStatus = HTTPStatus.INTERNAL_SERVER_ERROR
    code: ProblemCode = ProblemCode.INTERNAL_ERROR

    def __init__(self, detail: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})


class InvalidRequestError(ProblemError):
    """The request asks for something that cannot be."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = ProblemCode.INVALID_REQUEST


class NotAuthenticatedError(ProblemError):
    """No key, or one that we do not know."""

    status = HTTPStatus.UNAUTHORIZED
    code = ProblemCode.NOT_AUTHENTICATED

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})


class NotAllowedError(ProblemError):
    """The key does not have the scope."""

    status = HTTPStatus.FORBIDDEN
    code = ProblemCode.NOT_ALLOWED


class NotFoundError(ProblemError):
    """There is no such thing, or not for this caller."""

    status = HTTPStatus.NOT_FOUND
    code = ProblemCode.NOT_FOUND


class ConflictError(ProblemError):
    """The thing's state does not allow it."""

    status = HTTPStatus.CONFLICT
    code = ProblemCode.CONFLICT


class AddressRefusedError(ProblemError):
    """An address that we were given must not be fetched."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = ProblemCode.ADDRESS_REFUSED


class AddressUnreachableError(ProblemError):
    """An address that we were given did not answer as it should."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = ProblemCode.ADDRESS_UNREACHABLE


class ImageRefusedError(ProblemError):
    """An image that cannot be taken; the code says why."""

    def __init__(self, code: ProblemCode, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.status = _STATUS_OF_IMAGE.get(code, HTTPStatus.UNPROCESSABLE_ENTITY)


_STATUS_OF_IMAGE = {
    ProblemCode.IMAGE_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ProblemCode.IMAGE_UNSUPPORTED: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
}


class UnavailableError(ProblemError):
    """Something that we need is away for the moment."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = ProblemCode.SERVICE_UNAVAILABLE

    def __init__(self, detail: str, *, retry_after_seconds: int = 5) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_seconds)})


class StoreUnavailableError(UnavailableError):
    """MongoDB is away for the moment."""

    code = ProblemCode.STORE_UNAVAILABLE


_CODE_OF_STATUS = {
    401: ProblemCode.NOT_AUTHENTICATED,
    403: ProblemCode.NOT_ALLOWED,
    404: ProblemCode.NOT_FOUND,
    405: ProblemCode.METHOD_NOT_ALLOWED,
    409: ProblemCode.CONFLICT,
    503: ProblemCode.SERVICE_UNAVAILABLE,
}


def problem_response(
    status: int,
    code: ProblemCode,
    detail: str,
    *,
    errors: list[FieldError] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return a problem as RFC 9457 wants it."""
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


async def render_problem(_: Request, error: Exception) -> JSONResponse:
    """Answer with a problem that the code raised on purpose."""
    assert isinstance(error, ProblemError)  # noqa: S101  (the handler's registration says so)
    return problem_response(error.status, error.code, error.detail, headers=error.headers)


async def _render_validation(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    fields = [
        FieldError(field=".".join(map(str, item["loc"])), message=str(item["msg"]))
        for item in error.errors()
    ]
    named = "; ".join(f"{field.field}: {field.message}" for field in fields[:3])
    return problem_response(
        422, ProblemCode.INVALID_REQUEST, f"The request cannot be taken: {named}", errors=fields
    )


async def _render_http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    code = _CODE_OF_STATUS.get(error.status_code, ProblemCode.INVALID_REQUEST)
    return problem_response(error.status_code, code, str(error.detail), headers=error.headers)


async def render_unexpected(request: Request, error: Exception) -> JSONResponse:
    """Answer 500 and log what happened; the caller learns nothing of our insides."""
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem_response(
        500,
        ProblemCode.INTERNAL_ERROR,
        "Something went wrong on our side; try again, and quote 'instance' if it stays.",
    )


def install(app: FastAPI) -> None:
    """Make every error of an app a problem."""
    app.add_exception_handler(ProblemError, render_problem)
    app.add_exception_handler(RequestValidationError, _render_validation)
    app.add_exception_handler(HTTPException, _render_http)
    app.add_exception_handler(Exception, render_unexpected)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI entries for the problems that a route answers with."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {
            "model": Problem,
            "description": HTTPStatus(status).phrase,
            "content": content,
        }
        for status in (*statuses, 401, 403, 422, 503)
    }
