"""The matcher as a process that kills itself at a step of its second decision.

``python -m tests.services.dying_matcher STEP``: a kill from outside cannot aim so well.
"""

import os
import signal
import sys
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from services.matcher.main import create_app
from services.matcher.reviews.service import ReviewService
from services.matcher.settings import Settings
from services.matcher.store import MatcherStore
from srpitp_contracts.names import ServiceName
from srpitp_servicekit.server import serve

_SURVIVED = 1


class Step(StrEnum):
    """After what it dies."""

    DECISION_WRITTEN = "decision written"
    COMMITTED = "committed"


_AFTER: dict[Step, tuple[type, str]] = {
    Step.DECISION_WRITTEN: (MatcherStore, "decide"),
    Step.COMMITTED: (ReviewService, "decide"),
}


def _deadly(method: Callable[..., Any]) -> Callable[..., Any]:
    calls = 0

    async def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        answer = await method(*args, **kwargs)
        calls += 1
        if calls > _SURVIVED:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    return call


if __name__ == "__main__":
    place, name = _AFTER[Step(sys.argv[1])]
    setattr(place, name, _deadly(getattr(place, name)))
    settings = Settings()
    serve(create_app(settings), ServiceName.MATCHER, settings)
