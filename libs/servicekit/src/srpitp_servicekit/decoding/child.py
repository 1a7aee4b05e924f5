"""How a process that decodes is started; what is asked of it, and within which bounds."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from srpitp_contracts.fingerprints import Purpose
from srpitp_contracts.matching import MatchingMode
from srpitp_servicekit.decoding.settings import DecodingSettings
from srpitp_tagging import Head, find_weights

__all__ = [
    "START_SECONDS",
    "TRIES",
    "arguments",
    "command",
    "describing",
    "environment",
    "line_of",
]

START_SECONDS = 60
TRIES = 2
"""How often an image is given to a worker that dies: it may also die of something else, such as the
kernel's want of memory, and a good image is not to be refused for that."""

_WORKER = ("-m", "srpitp_servicekit.decoding.worker")


def arguments(settings: DecodingSettings) -> str:
    """Return what a worker is to know.

    Raises
    ------
    HeadError
        The head for tags of one's own is none: rather than that all workers fail.
    """
    return json.dumps(
        {
            "profile": settings.fingerprint_profile,
            "max_bytes": settings.image_max_bytes,
            "max_pixels": settings.image_max_pixels,
            "memory_bytes": settings.fingerprint_worker_memory_bytes,
            "tagging": _tagging(settings),
        }
    )


def command(arguments: str) -> list[str]:
    """Return what starts a worker."""
    return [sys.executable, *_WORKER, arguments]


def _tagging(settings: DecodingSettings) -> dict[str, Any]:
    head = settings.tag_head
    if head is not None:
        Head.read(head)
    weights = find_weights() if settings.tagging else None
    one_tag = settings.matching_mode is MatchingMode.PAPER
    return {
        "weights": weights and str(weights),
        "head": head and str(head),
        "floor": settings.tag_floor,
        "at_most": settings.tags_kept or (1 if one_tag else None),
    }


def environment() -> dict[str, str]:
    """Return what a worker needs: paths, but none of our keys."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("SRPITP_")}
    return {**ours, "OPENBLAS_NUM_THREADS": "1"}


def describing(purpose: Purpose) -> Mapping[str, Any]:
    """Return the order to describe an image."""
    return {"task": "describe", "purpose": purpose}


def line_of(order: Mapping[str, Any], sizes: Sequence[int]) -> bytes:
    """Return what stands before the bytes of files: what is wanted of them, and their lengths."""
    return json.dumps({**order, "sizes": list(sizes)}).encode() + b"\n"
