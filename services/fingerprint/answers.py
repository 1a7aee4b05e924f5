"""What a worker says of an image, and what of it is believed.

A file may have taken its worker over. So all that is said of the image is the library's packed
description, which is unpacked and checked here: what the answer to a client says and what is
packed cannot differ. And the digest, by which files are called the same, is our own.
"""

import base64
from collections.abc import Mapping, Set
from typing import Any

from srpitp_contracts.fingerprints import Extraction, Panel, Profile, Purpose, View
from srpitp_contracts.model import DESCRIPTION_BYTES
from srpitp_contracts.problems import ProblemCode
from srpitp_fingerprint import Description
from srpitp_fingerprint import Extraction as Extracted
from srpitp_servicekit.problems import ImageRefusedError

_PICTURE_BYTES = 2**21  # twice what noise takes in the size that is drawn
LONGEST_ANSWER = 4 * (max(DESCRIPTION_BYTES, _PICTURE_BYTES) // 3 + 1) + 2**16
"""Bytes of a line: the longest description with its tags, or a drawing."""

_JPEG_BEGINS = b"\xff\xd8\xff"
_OF_PANEL = Panel.model_fields.keys() - {"views"}
_OF_IMAGE = (Extraction.model_fields.keys() & set(Extracted.__slots__)) - {"views"}


class WrongAnswerError(Exception):
    """A worker said what none of ours says."""


def extraction_of(
    answer: Any, digest: str, size_bytes: int, purpose: Purpose, profile: Profile
) -> Extraction:
    """Return what a worker said as what we say.

    Parameters
    ----------
    answer
        The worker's JSON.
    digest, size_bytes
        Of the bytes that it was given.
    purpose, profile
        What it was asked for.

    Raises
    ------
    ImageRefusedError
        The worker refused the image.
    WrongAnswerError
        It is no answer to that question.
    """
    try:
        if "code" in answer:
            raise _refusal(answer)
        packed = base64.b64decode(answer["description"], validate=True)
        description = Description.from_bytes(packed)
        _check(description, digest, purpose, profile)
        return Extraction(
            **_told(description.extraction, _OF_IMAGE),
            size_bytes=size_bytes,
            tags=answer["tags"],
            panels=[Panel(**_told(one.extraction, _OF_PANEL)) for one in description.panels],
            description=packed if description.features else None,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise WrongAnswerError(f"{type(error).__name__}: {error}"[:500]) from error


def picture_of(answer: Any) -> bytes:
    """Return the JPEG that a worker drew.

    Raises
    ------
    ImageRefusedError, WrongAnswerError
        As of `extraction_of`.
    """
    try:
        if "code" in answer:
            raise _refusal(answer)
        picture = base64.b64decode(answer["picture"], validate=True)
    except (KeyError, TypeError, ValueError) as error:
        raise WrongAnswerError(f"{type(error).__name__}: {error}"[:500]) from error
    if not picture.startswith(_JPEG_BEGINS):
        raise WrongAnswerError("no JPEG")
    return picture


def _refusal(answer: Mapping[str, Any]) -> ImageRefusedError:
    detail = str(answer["detail"])
    return ImageRefusedError(ProblemCode(answer["code"]), f"{detail[:1].upper()}{detail[1:]}.")


def _check(description: Description, digest: str, purpose: Purpose, profile: Profile) -> None:
    if description.panels and purpose is Purpose.PROTECTED:
        raise ValueError("a protected picture has no panels")
    for extraction in (one.extraction for one in (description, *description.panels)):
        if extraction.digest != digest:
            raise ValueError("the digest of other bytes")
        if extraction.profile != profile:
            raise ValueError(f"fingerprints of the profile {extraction.profile}")


def _told(extraction: Extracted, fields: Set[str]) -> dict[str, Any]:
    told = {name: getattr(extraction, name) for name in fields}
    views = [
        View(name=view.name, fingerprint=view.fingerprint, sketch=view.sketch)
        for view in extraction.views
    ]
    return {**told, "views": views}
