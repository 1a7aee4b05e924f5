"""The process that decodes: images on its standard input, a line of JSON each on its output.

Before the images of a task stands a line of JSON: their lengths and what is wanted of them. See
the package for why this is a process of its own.
"""

import base64
import ctypes
import json
import os
import resource
import signal
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
    Placement,
    Profile,
    TooManyPixelsError,
    decode_colour,
    describe,
    draw_aligned,
    extract,
    panels_of,
)
from srpitp_tagging import Tagger

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG, see prctl(2)
_UNSEEN = np.zeros((1, 1, 3), np.uint8)
_JPEG_QUALITY = 88
_NICENESS = 10  # all cores may decode, and a service still answers at once


def main(
    profile: Profile,
    max_bytes: int,
    max_pixels: int,
    memory_bytes: int,
    tagging: dict[str, Any],
) -> None:
    """Answer until the input ends."""
    _confine(memory_bytes)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # a decoder that prints must not garble our answers
    tagger = _tagger(**tagging)
    _say(answers, "ready")
    limits = Limits(max_bytes=max_bytes, max_pixels=max_pixels)
    while (task := _next_task(sys.stdin.buffer)) is not None:
        _say(answers, _answer(*task, profile, limits, tagger))


def _confine(memory_bytes: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started us, and ends us
    if sys.platform == "linux":
        # A worker that is stuck in a decoder would not see its input end.
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    os.nice(_NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    cv2.setNumThreads(1)


def _tagger(weights: str | None, head: str | None, floor: float, at_most: int | None) -> Tagger:
    return Tagger.load(
        Path(weights) if weights else None,
        Path(head) if head else None,
        floor=floor,
        at_most=at_most,
    )


def _next_task(stream: BinaryIO) -> tuple[dict[str, Any], list[bytes]] | None:
    line = stream.readline()
    if not line:
        return None
    order: dict[str, Any] = json.loads(line)
    return order, [stream.read(size) for size in order["sizes"]]


def _answer(
    order: dict[str, Any], files: list[bytes], profile: Profile, limits: Limits, tagger: Tagger
) -> dict[str, Any]:
    try:
        if order["task"] == "draw":
            return {"picture": _drawn(files, order, limits)}
        [data] = files
        described = _described(data, Purpose(order["purpose"]), profile, limits)
        return {
            "description": base64.b64encode(described.to_bytes()).decode(),
            "tags": _tags(data, limits, tagger, is_collage=bool(described.panels)),
        }
    except ImageError as error:
        return {"code": error.code, "detail": str(error)}
    except MemoryError:
        detail = "decoding the image takes more memory than we give it; send it scaled down"
        return {"code": TooManyPixelsError.code, "detail": detail}


def _described(data: bytes, purpose: Purpose, profile: Profile, limits: Limits) -> Description:
    if profile == "paper":  # one view, and no second look
        return Description(extract(data, profile=profile, views="K1", limits=limits))
    return describe(data, detected=purpose is Purpose.DETECTED, limits=limits)


def _drawn(files: list[bytes], order: dict[str, Any], limits: Limits) -> str:
    detected, protected = files
    first, second = (tuple(row) for row in order["transform"])
    placement = Placement(order["orientation"], (first, second), order["negative"])
    drawn = draw_aligned(detected, protected, placement, order["kind"], limits=limits)
    _, picture = cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return base64.b64encode(picture.tobytes()).decode()


def _tags(data: bytes, limits: Limits, tagger: Tagger, *, is_collage: bool) -> list[dict[str, Any]]:
    picture = decode_colour(data, limits=limits) if tagger.looks else _UNSEEN
    panels = panels_of(picture) if is_collage and tagger.looks else []
    scores = tagger.tags_of_collage(picture, panels)
    return [{"tag": tag, "confidence": round(confidence, 4)} for tag, confidence in scores]


def _say(answers: Any, answer: Any) -> None:
    json.dump(answer, answers)
    answers.write("\n")
    answers.flush()


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
