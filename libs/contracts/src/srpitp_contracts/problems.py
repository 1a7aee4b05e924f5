"""Errors on the wire: RFC 9457 problem details with a stable code."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class ProblemCode(StrEnum):
    """What went wrong, for programs. A code never changes its meaning."""

    INVALID_REQUEST = "invalid_request"
    NOT_AUTHENTICATED = "not_authenticated"
    NOT_ALLOWED = "not_allowed"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    CONFLICT = "conflict"
    ALREADY_PROTECTED = "already_protected"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    IMAGE_EMPTY = "image_empty"
    IMAGE_UNSUPPORTED = "image_unsupported"
    IMAGE_BROKEN = "image_broken"
    IMAGE_TOO_LARGE = "image_too_large"
    IMAGE_TOO_MANY_PIXELS = "image_too_many_pixels"
    IMAGE_TOO_SLOW = "image_too_slow"
    ADDRESS_REFUSED = "address_refused"
    ADDRESS_UNREACHABLE = "address_unreachable"
    STORE_UNAVAILABLE = "store_unavailable"
    SERVICE_UNAVAILABLE = "service_unavailable"
    HANDED_OVER = "handed_over"
    INTERNAL_ERROR = "internal_error"


class FieldError(BaseModel):
    """One field of a request that could not be taken."""

    field: str = Field(description="where in the request, as a dotted path")
    message: str


class Problem(BaseModel):
    """An error's body, ``application/problem+json`` (RFC 9457, section 3)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="a URI that names the kind of problem", examples=["about:blank"])
    title: str
    status: int
    detail: str = Field(description="what happened, and what to do about it")
    code: ProblemCode
    instance: str | None = Field(default=None, description="the request's id, to quote to us")
    errors: list[FieldError] | None = Field(default=None, description="one entry per wrong field")
