"""Waiting with a deadline, and calling again while a service is away."""

import time
from collections.abc import Callable
from typing import TypeVar

from srpitp import ApiError, SrpitpError, UnreachableError
from srpitp_contracts.problems import ProblemCode

_DEADLINE_SECONDS = 90
_POLL_SECONDS = 0.1
_AWAY = frozenset({ProblemCode.SERVICE_UNAVAILABLE, ProblemCode.STORE_UNAVAILABLE})

T = TypeVar("T")


class JourneyError(RuntimeError):
    """The journey cannot go on."""


class Patience:
    """How long a client waits.

    Parameters
    ----------
    check
        Called while waiting; raises when there is nothing to wait for any more.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check

    def until(self, met: Callable[[], bool], what: str) -> None:
        """Return when a condition is met; raise `JourneyError` when that takes too long."""
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while not self.stubbornly(met):
            self._check()
            if time.monotonic() > deadline:
                raise JourneyError(f"waited {_DEADLINE_SECONDS} s in vain for {what}")
            time.sleep(_POLL_SECONDS)

    def stubbornly(self, call: Callable[[], T]) -> T:
        """Return what a call returns, made again while a service is away.

        So clients outlive a restart; the call must be such that making it twice does no harm.
        """
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while True:
            try:
                return call()
            except (ApiError, UnreachableError) as error:
                if not _says_away(error) or time.monotonic() > deadline:
                    raise
            self._check()
            time.sleep(_POLL_SECONDS)


def _says_away(error: SrpitpError) -> bool:
    return not isinstance(error, ApiError) or error.problem.code in _AWAY
