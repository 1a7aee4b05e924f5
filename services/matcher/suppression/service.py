"""Images that match too much: a logo, a placeholder, a page of nothing but text."""

from typing import Any

from services.matcher.store import MatcherStore
from services.matcher.suppression.judging import Judging
from services.matcher.suppression.store import SuppressionStore
from srpitp_contracts.identifiers import derived_id
from srpitp_contracts.matching import Exclusion, ExclusionRequest
from srpitp_contracts.model import utc_now
from srpitp_contracts.pages import Page
from srpitp_servicekit.auth import Caller
from srpitp_servicekit.problems import ConflictError, NotFoundError


class ExclusionService:
    """Exclusions, by reviewers.

    Parameters
    ----------
    matches, store
        Where matches and exclusions are kept.
    judging
        Judges anew what an exclusion changes.
    at_most
        How many there may be.
    """

    def __init__(
        self, matches: MatcherStore, store: SuppressionStore, judging: Judging, *, at_most: int
    ) -> None:
        self._matches = matches
        self._store = store
        self._judging = judging
        self._at_most = at_most

    async def exclude(self, request: ExclusionRequest, caller: Caller) -> Exclusion:
        """Exclude an image; the same image again is the same exclusion."""
        image = await self._image(request)
        digest = image["digest"] if image else request.digest or ""
        exclusion = Exclusion(
            id=derived_id("exclusion", digest),
            digest=digest,
            detected_id=image["_id"] if image else None,
            image_address=image["image_address"] if image else None,
            note=request.note,
            created_by=f"key:{caller.key_id}",
            created_at=utc_now(),
        )
        others = await self._store.count_exclusions(but=exclusion.id)
        if others >= self._at_most:
            raise ConflictError(f"{others} images are excluded already; delete an exclusion first.")
        made = await self._store.add_exclusion(exclusion, image)
        self._judging.wake()
        return made

    async def exclusions(self, *, limit: int, cursor: str | None) -> Page[Exclusion]:
        """List the exclusions, newest first."""
        return await self._store.exclusions(limit=limit, cursor=cursor)

    async def end(self, exclusion_id: str) -> None:
        """Delete an exclusion; what it suppressed is judged anew, and alerted if it is due."""
        if not await self._store.delete_exclusion(exclusion_id):
            raise NotFoundError(f"There is no exclusion {exclusion_id}.")
        self._judging.wake()

    async def _image(self, request: ExclusionRequest) -> dict[str, Any] | None:
        if request.digest:
            return await self._store.detected_named(digest=request.digest)
        detected_id = request.detected_id
        if request.match_id:
            match = await self._matches.match(request.match_id)
            if match is None:
                raise NotFoundError(f"There is no match {request.match_id}.")
            detected_id = match.detected_id
        image = await self._store.detected_named(id=detected_id or "")
        if image is None:
            raise NotFoundError(f"There is no detected image {detected_id}.")
        return image
