"""What a worker says of an image, and what of it is believed.

A file may have taken its worker over. So all that is said of the image is the library's packed
description, which is unpacked and checked here, and the digest, by which files are called the same,
is our own.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from srpitp_contracts.fingerprints import Profile, Purpose, TagScore
from srpitp_contracts.model import DESCRIPTION_BYTES
from srpitp_fingerprint import Description

__all__ = [
    "LONGEST_ANSWER",
    "Described",
    "RefusedError",
    "WrongAnswerError",
    "described",
    "drawn",
    "parsed",
]

_PICTURE_BYTES = 2**21  # twice what noise takes in the size that is drawn
LONGEST_ANSWER = 4 * (max(DESCRIPTION_BYTES, _PICTURE_BYTES) // 3 + 1) + 2**16
"""Bytes of a line: the longest description with its tags, or a drawing."""

_JPEG_BEGINS = b"\xff\xd8\xff"


class WrongAnswerError(Exception):
    """A worker said what none of ours says."""


class RefusedError(Exception):
    """A worker refused an image.

    Attributes
    ----------
    code : str
        Of the library's error.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class Described(NamedTuple):
    """What is known of an image."""

    description: Description
    packed: bytes
    tags: list[TagScore]


def parsed(line: bytes | bytearray) -> Any:
    """Read a worker's line.

    Raises
    ------
    WrongAnswerError
        It is no JSON.
    """
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise WrongAnswerError(f"no JSON: {bytes(line[:100])!r}") from error


def described(answer: Any, digest: str, purpose: Purpose, profile: Profile) -> Described:
    """Take what a worker said of an image, if it is what ours say.

    Parameters
    ----------
    answer
        The worker's JSON.
    digest
        Of the bytes that it was given.
    purpose, profile
        What it was asked for.

    Raises
    ------
    RefusedError
        The worker refused the image.
    WrongAnswerError
        It is no answer to that question.
    """
    try:
        _check_refusal(answer)
        packed = base64.b64decode(answer["description"], validate=True)
        description = Description.from_bytes(packed)
        _check(description, digest, purpose, profile)
        tags = _tags(answer)
    except (KeyError, TypeError, ValueError) as error:
        raise WrongAnswerError(f"{type(error).__name__}: {error}"[:500]) from error
    return Described(description, packed, tags)


def drawn(answer: Any) -> bytes:
    """Take the JPEG that a worker drew.

    Raises
    ------
    RefusedError, WrongAnswerError
        As of `described`.
    """
    try:
        _check_refusal(answer)
        picture = base64.b64decode(answer["picture"], validate=True)
    except (KeyError, TypeError, ValueError) as error:
        raise WrongAnswerError(f"{type(error).__name__}: {error}"[:500]) from error
    if not picture.startswith(_JPEG_BEGINS):
        raise WrongAnswerError("no JPEG")
    return picture


def _tags(answer: Mapping[str, Any]) -> list[TagScore]:
    if not answer["tags"]:
        raise ValueError("no tags")
    return [TagScore.model_validate(tag) for tag in answer["tags"]]


def _check_refusal(answer: Mapping[str, Any]) -> None:
    if "code" in answer:
        raise RefusedError(str(answer["code"]), str(answer["detail"]))


def _check(description: Description, digest: str, purpose: Purpose, profile: Profile) -> None:
    if description.panels and purpose is Purpose.PROTECTED:
        raise ValueError("a protected picture has no panels")
    for extraction in (one.extraction for one in (description, *description.panels)):
        if extraction.digest != digest:
            raise ValueError("the digest of other bytes")
        if extraction.profile != profile:
            raise ValueError(f"fingerprints of the profile {extraction.profile}")
