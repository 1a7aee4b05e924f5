"""The matcher as a process that kills itself at a step of its second decision.

``python -m tests.services.matcher.dying STEP``.
"""

import sys
from enum import StrEnum

from services.matcher.main import create_app
from services.matcher.reviews.service import ReviewService
from services.matcher.settings import Settings
from services.matcher.store import MatcherStore
from srpitp_contracts.names import ServiceName
from srpitp_servicekit.server import serve
from tests.services.processes import die_after


class Step(StrEnum):
    """After what it dies."""

    DECISION_WRITTEN = "decision written"
    COMMITTED = "committed"


_AFTER: dict[Step, tuple[type, str]] = {
    Step.DECISION_WRITTEN: (MatcherStore, "decide"),
    Step.COMMITTED: (ReviewService, "decide"),
}


if __name__ == "__main__":
    die_after(*_AFTER[Step(sys.argv[1])], calls=2)
    settings = Settings()
    serve(create_app(settings), ServiceName.MATCHER, settings)
