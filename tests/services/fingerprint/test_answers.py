"""What a worker may say, and what is made of it when it says something else."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from services.fingerprint.answers import extraction_of
from srpitp_contracts.fingerprints import Extraction, Purpose
from srpitp_contracts.model import DESCRIPTION_BYTES
from srpitp_contracts.problems import ProblemCode
from srpitp_fingerprint import Description, LocalFeatures, describe
from srpitp_servicekit.decoding.answers import LONGEST_ANSWER, WrongAnswerError
from srpitp_servicekit.problems import ImageRefusedError
from tests.services import images

Said = dict[str, Any]

COLLAGE = images.jpeg(np.hstack([images.photo() // 2, 255 - images.photo(7) // 2]))
DIGEST = hashlib.sha256(COLLAGE).hexdigest()
DESCRIBED = describe(COLLAGE, detected=True)
TAGS = [{"tag": "people", "confidence": 0.9}]


def said(described: Description = DESCRIBED, **changes: Any) -> Said:
    packed = base64.b64encode(described.to_bytes()).decode()
    return {"description": packed, "tags": TAGS, **changes}


def read(answer: Any, purpose: Purpose = Purpose.DETECTED) -> Extraction:
    return extraction_of(answer, DIGEST, len(COLLAGE), purpose, "robust")


def test_an_answer_is_what_the_description_says() -> None:
    extraction = read(said())
    assert (extraction.digest, extraction.size_bytes) == (DIGEST, len(COLLAGE))
    assert (extraction.width, extraction.height) == (1280, 480)
    assert len(extraction.panels) == 2
    assert extraction.description == DESCRIBED.to_bytes()
    assert Extraction.model_validate_json(extraction.model_dump_json()) == extraction


def test_without_local_features_there_is_no_description() -> None:
    bare = Description(DESCRIBED.extraction)
    assert read(said(bare)).description is None


def test_a_refusal_is_the_senders_business() -> None:
    with pytest.raises(ImageRefusedError) as refused:
        read({"code": "image_broken", "detail": "cut short; send the whole file"})
    assert refused.value.code is ProblemCode.IMAGE_BROKEN
    assert str(refused.value) == "Cut short; send the whole file."


def _of_other_bytes() -> Description:
    return replace(DESCRIBED, extraction=replace(DESCRIBED.extraction, digest="0" * 64))


def _with_a_panel_of_other_bytes() -> Description:
    panel = replace(DESCRIBED, extraction=replace(DESCRIBED.extraction, digest="0" * 64), panels=())
    return replace(DESCRIBED, panels=(panel,))


def _of_the_other_profile() -> Description:
    return replace(DESCRIBED, extraction=replace(DESCRIBED.extraction, profile="paper"))


WRONG: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "a number": lambda: 7,
    "nothing": dict,
    "no tags": lambda: {"description": said()["description"]},
    "tags that are none": lambda: said(tags=[{"tag": "people", "confidence": 7}]),
    "an empty list of tags": lambda: said(tags=[]),
    "a description that is none": lambda: said(description="AAAA"),
    "a description cut short": lambda: said(description=said()["description"][:-400]),
    "a description that is no base64": lambda: said(description="\0"),
    "a number as description": lambda: said(description=7),
    "an unknown code": lambda: {"code": "image_ugly", "detail": ""},
    "the digest of other bytes": lambda: said(_of_other_bytes()),
    "a panel of other bytes": lambda: said(_with_a_panel_of_other_bytes()),
    "the other profile": lambda: said(_of_the_other_profile()),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_answer_is_not_believed(name: str) -> None:
    with pytest.raises(WrongAnswerError):
        read(WRONG[name]())


def test_panels_are_told_only_of_what_is_looked_for() -> None:
    with pytest.raises(WrongAnswerError):
        read(said(), Purpose.PROTECTED)


def _largest() -> Description:
    """As large as the library makes them: six panels, every side with as many points as it has."""
    features = describe(images.jpeg(images.photo())).features
    assert features is not None
    points = 320
    side = LocalFeatures(
        320,
        320,
        np.ones((points, 2), np.float32),
        np.zeros(points, np.uint8),
        np.zeros(points, np.uint8),
        np.zeros((points, 32), np.uint8),
        np.zeros((64, 64), np.uint8),
    )
    assert len(features) <= points
    one = Description(DESCRIBED.extraction, side, side)
    return replace(one, panels=(one,) * 6)


def test_the_largest_description_is_taken_and_a_larger_one_is_not() -> None:
    largest = _largest()
    assert DESCRIPTION_BYTES * 0.8 < len(largest.to_bytes()) < DESCRIPTION_BYTES
    answer = said(largest)
    assert len(str(answer)) < LONGEST_ANSWER
    assert read(answer).description == largest.to_bytes()
    with pytest.raises(WrongAnswerError, match="description"):
        read(said(replace(largest, panels=(largest.panels[0],) * 16)))
    with pytest.raises(ValidationError):
        Extraction.model_validate(
            read(answer).model_dump() | {"description": bytes(DESCRIPTION_BYTES + 1)}
        )
