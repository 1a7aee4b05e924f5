"""Matches and their review."""

from collections.abc import Iterator

from srpitp.connection import Connection
from srpitp_contracts.comparisons import PictureKind
from srpitp_contracts.matching import (
    Match,
    MatchState,
    MatchWithSightings,
    ReviewDecision,
    ReviewRequest,
    SearchResult,
    Thresholds,
    UndoRequest,
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

    def undo(self, match_id: str, *, note: str = "") -> MatchWithSightings:
        """Put a match back into review; what its owner was told before is withdrawn, not unsent."""
        return self._connection.post(
            _SERVICE,
            f"/matches/{match_id}/undo",
            MatchWithSightings,
            body=UndoRequest(note=note),
        )

    def picture(self, match_id: str, kind: PictureKind = PictureKind.SIDE_BY_SIDE) -> bytes:
        """Return a JPEG that shows the photo and its copy, aligned."""
        return self._connection.call(
            _SERVICE, "GET", f"/matches/{match_id}/picture", params={"kind": str(kind)}
        ).content

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
