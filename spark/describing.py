"""Images described anew, each in a child process that may die of it."""

import base64
import hashlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from spark.settings import Settings
from srpitp_contracts.fingerprints import Purpose, TagScore
from srpitp_contracts.matching import MatchingMode
from srpitp_fingerprint import Description
from srpitp_tagging import find_weights

__all__ = ["Described", "Describer", "NotDescribedError", "running_describer"]

_START_SECONDS = 60
_TRIES = 2  # a child may also die of something else, such as the kernel's want of memory
_PIECE = 2**16


class NotDescribedError(Exception):
    """An image cannot be described; the message says why."""


class _DiedError(Exception):
    """The child ended before it answered."""


class Described(NamedTuple):
    """What is known of an image."""

    description: Description
    packed: bytes
    tags: list[TagScore]


@contextmanager
def running_describer(settings: Settings) -> Iterator["Describer"]:
    """Have images described for as long as the block lasts."""
    describer = Describer(settings)
    try:
        yield describer
    finally:
        describer.end()


class Describer:
    """Describes images, one at a time, in a child that is started when it is needed."""

    def __init__(self, settings: Settings) -> None:
        self._seconds = settings.fingerprint_time_limit_seconds
        self._arguments = json.dumps(_arguments(settings))
        self._child: subprocess.Popen[bytes] | None = None

    def describe(self, data: bytes, purpose: Purpose) -> Described:
        """Describe an image.

        Raises
        ------
        NotDescribedError
            It is broken, too large, takes too long, or makes its decoder crash.
        """
        for _ in range(_TRIES):
            try:
                answer = self._ask(data, purpose)
            except _DiedError:
                self.end()
            except TimeoutError as error:
                self.end()
                raise NotDescribedError(f"took longer than {self._seconds:g} s") from error
            else:
                return _believed(answer, hashlib.sha256(data).hexdigest())
        raise NotDescribedError("makes its decoder crash")

    def end(self) -> None:
        """End the child, if there is one; the next image gets a new one."""
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None

    def _ask(self, data: bytes, purpose: Purpose) -> Any:
        child = self._child or self._start()
        assert child.stdin  # noqa: S101  (a pipe was asked for)
        try:
            child.stdin.write(f"{len(data)} {purpose}\n".encode())
            child.stdin.write(data)
            child.stdin.flush()
        except ConnectionError as error:
            raise _DiedError from error
        return _answer(child, self._seconds)

    def _start(self) -> subprocess.Popen[bytes]:
        ours = {name: of for name, of in os.environ.items() if not name.startswith("SRPITP_")}
        self._child = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "spark.describer", self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**ours, "OPENBLAS_NUM_THREADS": "1"},
        )
        _answer(self._child, _START_SECONDS)
        return self._child


def _arguments(settings: Settings) -> dict[str, Any]:
    weights = find_weights() if settings.tagging else None
    one_tag = settings.matching_mode is MatchingMode.PAPER
    return {
        "profile": settings.fingerprint_profile,
        "max_bytes": settings.image_max_bytes,
        "max_pixels": settings.image_max_pixels,
        "memory_bytes": settings.fingerprint_worker_memory_bytes,
        "tagging": {
            "weights": weights and str(weights),
            "head": settings.tag_head and str(settings.tag_head),
            "floor": settings.tag_floor,
            "at_most": settings.tags_kept or (1 if one_tag else None),
        },
    }


def _answer(child: subprocess.Popen[bytes], seconds: float) -> Any:
    """Read a line, which has to come in time."""
    assert child.stdout  # noqa: S101  (a pipe was asked for)
    line, deadline = bytearray(), time.monotonic() + seconds
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([child.stdout], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError
        piece = os.read(child.stdout.fileno(), _PIECE)
        if not piece:
            raise _DiedError
        line += piece
    return json.loads(line)


def _believed(answer: Any, digest: str) -> Described:
    """Take what a child said, if it is what ours say: its image may have taken it over."""
    if refused := answer.get("refused"):
        raise NotDescribedError(str(refused))
    try:
        packed = base64.b64decode(answer["description"], validate=True)
        description = Description.from_bytes(packed)
        tags = [TagScore.model_validate(tag) for tag in answer["tags"]]
    except (KeyError, TypeError, ValueError) as error:
        raise NotDescribedError(f"made its decoder say what none says: {error}") from error
    if description.extraction.digest != digest or not tags:
        raise NotDescribedError("made its decoder speak of another image")
    return Described(description, packed, tags)
