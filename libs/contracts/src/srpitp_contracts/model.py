"""The ground that every wire model stands on: frozen, strict about unknown fields, times in UTC."""

import base64
import binascii
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    WrapSerializer,
)

FINGERPRINT_BYTES = 180
SKETCH_BYTES = 32
DESCRIPTION_BYTES = 2**18
"""At most: a collage of six photos, each with local features of both its sides, takes 233 KB."""


class Model(BaseModel):
    """A value that crosses a process boundary."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _to_utc(value: datetime) -> datetime:
    # MongoDB keeps milliseconds; cutting here makes a value equal to itself after a round trip.
    try:
        value = value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("lies outside the years 1 to 9999 in UTC") from error
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


def _from_base64(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError("is not valid base64") from error


def _to_base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


UtcTime = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""A moment, RFC 3339 on the wire, always in UTC, to the millisecond."""

FingerprintBytes = Annotated[
    bytes,
    BeforeValidator(_from_base64),
    Field(min_length=FINGERPRINT_BYTES, max_length=FINGERPRINT_BYTES),
    PlainSerializer(_to_base64, when_used="json"),
    WithJsonSchema({"type": "string", "contentEncoding": "base64", "maxLength": 240}),
]
"""720 quaternary symbols in 180 bytes: base64 in JSON, plain bytes in Python and in the store."""

SketchBytes = Annotated[
    bytes,
    BeforeValidator(_from_base64),
    Field(min_length=SKETCH_BYTES, max_length=SKETCH_BYTES),
    PlainSerializer(_to_base64, when_used="json"),
    WithJsonSchema({"type": "string", "contentEncoding": "base64", "maxLength": 44}),
]
"""The second, small fingerprint of a view, as bytes as the first."""

DescriptionBytes = Annotated[
    bytes,
    BeforeValidator(_from_base64),
    Field(min_length=1, max_length=DESCRIPTION_BYTES),
    PlainSerializer(_to_base64, when_used="json"),
    WithJsonSchema(
        {
            "type": "string",
            "contentEncoding": "base64",
            "maxLength": 4 * (DESCRIPTION_BYTES // 3 + 1),
        }
    ),
]
"""All that is known of a picture, its local features too, as the fingerprint library packs it."""

T = TypeVar("T")
Several = Annotated[
    frozenset[T], WrapSerializer(lambda values, dump: sorted(dump(values)), when_used="json")
]
"""A set, in JSON in order: asked twice, we answer the same to the letter."""

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 of a file's bytes, in hexadecimal."""


def utc_now() -> datetime:
    """Return the present moment in UTC, to the millisecond."""
    return _to_utc(datetime.now(UTC))
