"""Images described anew, each in a child process that may die of it."""

import hashlib
import os
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from spark.settings import Settings
from srpitp_contracts.fingerprints import Purpose
from srpitp_servicekit.decoding import child
from srpitp_servicekit.decoding.answers import (
    LONGEST_ANSWER,
    Described,
    RefusedError,
    WrongAnswerError,
    described,
    parsed,
)

__all__ = ["Describer", "NotDescribedError", "running_describer"]

_PIECE = 2**16


class NotDescribedError(Exception):
    """An image cannot be described; the message says why."""


class _DiedError(Exception):
    """The child ended before it answered."""


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
        self._profile = settings.fingerprint_profile
        self._arguments = child.arguments(settings)
        self._child: subprocess.Popen[bytes] | None = None

    def describe(self, data: bytes, purpose: Purpose) -> Described:
        """Describe an image.

        Raises
        ------
        NotDescribedError
            It is broken, too large, takes too long, or makes its decoder crash or lie.
        """
        digest = hashlib.sha256(data).hexdigest()
        for _ in range(child.TRIES):
            try:
                return described(self._ask(data, purpose), digest, purpose, self._profile)
            except _DiedError:
                self.end()
            except RefusedError as error:
                raise NotDescribedError(f"{error.code}: {error}") from error
            except WrongAnswerError as error:
                self.end()
                raise NotDescribedError(f"made its decoder say what none says: {error}") from error
            except TimeoutError as error:
                self.end()
                raise NotDescribedError(f"took longer than {self._seconds:g} s") from error
        raise NotDescribedError("makes its decoder crash")

    def end(self) -> None:
        """End the child, if there is one; the next image gets a new one."""
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None

    def _ask(self, data: bytes, purpose: Purpose) -> Any:
        asked = self._child or self._start()
        deadline = time.monotonic() + self._seconds
        try:
            _send(asked, child.line_of(child.describing(purpose), [len(data)]), deadline)
            _send(asked, data, deadline)
        except ConnectionError as error:
            raise _DiedError from error
        return _answer(asked, deadline)

    def _start(self) -> subprocess.Popen[bytes]:
        self._child = subprocess.Popen(  # noqa: S603
            child.command(self._arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=child.environment(),
            bufsize=0,
        )
        assert self._child.stdin  # noqa: S101  (a pipe was asked for)
        os.set_blocking(self._child.stdin.fileno(), False)
        _answer(self._child, time.monotonic() + child.START_SECONDS)
        return self._child


def _send(asked: subprocess.Popen[bytes], data: bytes, deadline: float) -> None:
    """Write bytes, which have to be read in time: a child that was taken over may not care to."""
    assert asked.stdin  # noqa: S101  (a pipe was asked for)
    pipe, rest = asked.stdin.fileno(), memoryview(data)
    while rest:
        _, ready, _ = select.select([], [pipe], [], max(0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError
        rest = rest[os.write(pipe, rest[:_PIECE]) :]


def _answer(asked: subprocess.Popen[bytes], deadline: float) -> Any:
    """Read a line, which has to come in time, and be no longer than any of ours."""
    assert asked.stdout  # noqa: S101  (a pipe was asked for)
    pipe, line = asked.stdout.fileno(), bytearray()
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([pipe], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError
        piece = os.read(pipe, _PIECE)
        if not piece:
            raise _DiedError
        line += piece
        if len(line) > LONGEST_ANSWER:
            raise WrongAnswerError(f"more than {LONGEST_ANSWER} bytes")
    return parsed(line)
