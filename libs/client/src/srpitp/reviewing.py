"""What waits for reviewers, decisions on many matches, and images that match too much."""

from collections.abc import Iterator

from srpitp.connection import Connection
from srpitp_contracts.matching import (
    BulkReviewOutcome,
    BulkReviewRequest,
    Exclusion,
    ExclusionRequest,
    ReviewItem,
)
from srpitp_contracts.names import ServiceName

_SERVICE = ServiceName.MATCHER


class Reviews:
    """What waits for reviewers."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(
        self, *, owner_id: str | None = None, protected_id: str | None = None
    ) -> Iterator[ReviewItem]:
        """Iterate over the detected images that wait, each with all that it may show."""
        return self._connection.pages(
            _SERVICE, "/review", ReviewItem, owner_id=owner_id, protected_id=protected_id
        )

    def decide(self, request: BulkReviewRequest) -> Iterator[BulkReviewOutcome]:
        """Decide everything in review that a request means, a part at a time.

        Each part is decided when the iterator is asked for it; a request that failed in its
        middle may be sent again.
        """
        while True:
            outcome = self._connection.post(_SERVICE, "/reviews", BulkReviewOutcome, body=request)
            yield outcome
            if not outcome.more:
                return


class Exclusions:
    """Images that match too much."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, request: ExclusionRequest) -> Exclusion:
        """Exclude an image: it and what is nearly the same alert nobody."""
        return self._connection.post(_SERVICE, "/exclusions", Exclusion, body=request)

    def list(self) -> Iterator[Exclusion]:
        """Iterate over the exclusions, newest first."""
        return self._connection.pages(_SERVICE, "/exclusions", Exclusion)

    def remove(self, exclusion_id: str) -> None:
        """End an exclusion; what it suppressed is judged anew."""
        self._connection.call(_SERVICE, "DELETE", f"/exclusions/{exclusion_id}")
