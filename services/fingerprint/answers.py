"""What a worker said of an image, as what the service says."""

from collections.abc import Set
from typing import Any

from srpitp_contracts.fingerprints import Extraction, Panel, Profile, Purpose, View
from srpitp_contracts.problems import ProblemCode
from srpitp_fingerprint import Extraction as Extracted
from srpitp_servicekit.decoding.answers import (
    RefusedError,
    WrongAnswerError,
    described,
    drawn,
)
from srpitp_servicekit.problems import ImageRefusedError

_OF_PANEL = Panel.model_fields.keys() - {"views"}
_OF_IMAGE = (Extraction.model_fields.keys() & set(Extracted.__slots__)) - {"views"}


def extraction_of(
    answer: Any, digest: str, size_bytes: int, purpose: Purpose, profile: Profile
) -> Extraction:
    """Return what a worker said as what we say.

    What the answer to a client says and what is packed cannot differ: the one is made of the other.

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
        found = described(answer, digest, purpose, profile)
        return Extraction(
            **_told(found.description.extraction, _OF_IMAGE),
            size_bytes=size_bytes,
            tags=found.tags,
            panels=[Panel(**_told(one.extraction, _OF_PANEL)) for one in found.description.panels],
            description=found.packed if found.description.features else None,
        )
    except RefusedError as error:
        raise _refusal(error) from error
    except ValueError as error:
        raise WrongAnswerError(f"{type(error).__name__}: {error}"[:500]) from error


def picture_of(answer: Any) -> bytes:
    """Return the JPEG that a worker drew.

    Raises
    ------
    ImageRefusedError, WrongAnswerError
        As of `extraction_of`.
    """
    try:
        return drawn(answer)
    except RefusedError as error:
        raise _refusal(error) from error


def _refusal(refused: RefusedError) -> ImageRefusedError:
    try:
        code = ProblemCode(refused.code)
    except ValueError as error:
        raise WrongAnswerError(f"no such code: {refused.code}") from error
    detail = str(refused)
    return ImageRefusedError(code, f"{detail[:1].upper()}{detail[1:]}.")


def _told(extraction: Extracted, fields: Set[str]) -> dict[str, Any]:
    told = {name: getattr(extraction, name) for name in fields}
    views = [
        View(name=view.name, fingerprint=view.fingerprint, sketch=view.sketch)
        for view in extraction.views
    ]
    return {**told, "views": views}
