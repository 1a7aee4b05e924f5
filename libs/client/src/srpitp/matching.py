"""Matches and their review."""

from collections.abc import Iterator

from srpitp.connection import Connection
from srpitp_contracts.matching import (
    Match,
    MatchState,
    MatchWithSightings,
    ReviewDecision,
    ReviewRequest,
)
from srpitp_contracts.names import ServiceName

_SERVICE = ServiceName.MATCHER


class Matches:
    """Detected images that lie near protected ones."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, match_id: str) -> MatchWithSightings:
        """Show a match, with when, where and by whom the copy was published."""
        return self._connection.get(_SERVICE, f"/matches/{match_id}", MatchWithSightings)

    def list(
        self,
        *,
        state: MatchState | None = None,
        protected_id: str | None = None,
        detected_id: str | None = None,
    ) -> Iterator[Match]:
        """Iterate over the matches that the caller may see, newest first."""
        return self._connection.pages(
            _SERVICE,
            "/matches",
            Match,
            state=state,
            protected_id=protected_id,
            detected_id=detected_id,
        )

    def review(
        self, match_id: str, decision: ReviewDecision, *, note: str = ""
    ) -> MatchWithSightings:
        """Confirm or reject a match; its owner is alerted at once when it is confirmed."""
        return self._connection.post(
            _SERVICE,
            f"/matches/{match_id}/review",
            MatchWithSightings,
            body=ReviewRequest(decision=decision, note=note),
        )
