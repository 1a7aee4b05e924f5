"""Creating calls that may be sent twice: the ``Idempotency-Key`` header names what they make."""

from typing import Annotated

from fastapi import Header

from srpitp_contracts.identifiers import derived_id, random_id
from srpitp_contracts.problems import ProblemCode
from srpitp_servicekit.auth import Caller
from srpitp_servicekit.problems import InvalidRequestError

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="of your choice: the same request with the same key is answered as before",
    ),
]


class IdempotencyKeyReusedError(InvalidRequestError):
    """The key made something else before."""

    code = ProblemCode.IDEMPOTENCY_KEY_REUSED

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key came with another request before; use a new one.")


def id_for(caller: Caller, kind: str, key: str | None) -> str:
    """Return the id of the thing that a call makes: the same for the same caller and key."""
    return derived_id(caller.key_id, kind, key) if key else random_id()
