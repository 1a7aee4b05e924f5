"""Errors that a caller sees: each carries its status and code, and says what to do."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from srpitp_contracts.problems import Problem, ProblemCode

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
