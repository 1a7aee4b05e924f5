"""Matches and their review."""

from collections.abc import Iterator

from srpitp.connection import Connection
from srpitp_contracts.matching import (
    Match,
    MatchState,
    MatchWithSightings,
    ReviewDecision,
    ReviewRequest,
    SearchResult,
    Thresholds,
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

    def search(self, data: bytes, *, name: str = "image") -> SearchResult:
        """Compare an image with all protected ones; for reviewers. Nothing of it is kept.

        Parameters
        ----------
        data
            The bytes of its file.
        name
            Of the file.

        Raises
        ------
        ApiError
            An ``image_...`` code says why an image is refused.
        """
        return self._connection.post(
            _SERVICE, "/search", SearchResult, files={"file": (name, data)}
        )

    def thresholds(self) -> Thresholds:
        """Show which thresholds are in force, and why; for reviewers."""
        return self._connection.get(_SERVICE, "/thresholds", Thresholds)
