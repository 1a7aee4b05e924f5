"""The process in which a task has images decoded: bytes on its input, a line of JSON each.

Bytes that someone else gave may crash a decoder or keep it busy for ever; then this process ends,
and neither the task nor the executor. It has little memory, none of our secrets, and says nothing
that is unpickled. Before each image stands a line with its length and what it is described for.
"""

import base64
import ctypes
import json
import os
import resource
import sys
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np

from srpitp_contracts.fingerprints import Purpose
from srpitp_fingerprint import (
    Description,
    ImageError,
    Limits,
    Profile,
    decode_colour,
    describe,
    extract,
)
from srpitp_tagging import Tagger

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG, see prctl(2)
_UNSEEN = np.zeros((1, 1, 3), np.uint8)


def main(
    profile: Profile,
    max_bytes: int,
    max_pixels: int,
    memory_bytes: int,
    tagging: dict[str, Any],
) -> None:
    """Answer until the input ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, 9)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    cv2.setNumThreads(1)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # a decoder that prints must not garble our answers
    tagger = _tagger(**tagging)
    _say(answers, "ready")
    limits = Limits(max_bytes=max_bytes, max_pixels=max_pixels)
    while (asked := _next_image(sys.stdin.buffer)) is not None:
        _say(answers, _answer(*asked, profile, limits, tagger))


def _tagger(weights: str | None, head: str | None, floor: float, at_most: int | None) -> Tagger:
    files = [Path(name) if name else None for name in (weights, head)]
    return Tagger.load(*files, floor=floor, at_most=at_most)


def _next_image(stream: BinaryIO) -> tuple[bytes, Purpose] | None:
    line = stream.readline().decode()
    if not line:
        return None
    length, purpose = line.split()
    return stream.read(int(length)), Purpose(purpose)


def _answer(
    data: bytes, purpose: Purpose, profile: Profile, limits: Limits, tagger: Tagger
) -> dict[str, Any]:
    try:
        described = _described(data, purpose, profile, limits)
        picture = decode_colour(data, limits=limits) if tagger.looks else _UNSEEN
    except (ImageError, MemoryError) as error:
        return {"refused": f"{type(error).__name__}: {error}"}
    [scores] = tagger.tags_of([picture], mixed=bool(described.panels))
    tags = [{"tag": tag, "confidence": round(confidence, 4)} for tag, confidence in scores]
    return {"description": base64.b64encode(described.to_bytes()).decode(), "tags": tags}


def _described(data: bytes, purpose: Purpose, profile: Profile, limits: Limits) -> Description:
    if profile == "paper":  # one view, and no second look
        return Description(extract(data, profile=profile, views="K1", limits=limits))
    return describe(data, detected=purpose is Purpose.DETECTED, limits=limits)


def _say(answers: Any, answer: Any) -> None:
    json.dump(answer, answers)
    answers.write("\n")
    answers.flush()


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
