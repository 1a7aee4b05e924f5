"""One image against the protected set, for whoever asks; nothing of it is kept."""

import logging

import httpx

from services.matcher.search.matching import Matching
from srpitp_contracts.fingerprints import Extraction
from srpitp_contracts.matching import SearchResult, Thresholds
from srpitp_contracts.names import ServiceName
from srpitp_contracts.problems import Problem
from srpitp_servicekit.peers import Peers
from srpitp_servicekit.problems import MEDIA_TYPE, ImageRefusedError, UnavailableError

logger = logging.getLogger(__name__)

_PATH = "/v1/fingerprints?purpose=detected"


class Search:
    """Looks for the protected images that an image shows, whatever its tags."""

    def __init__(self, peers: Peers, matching: Matching) -> None:
        self._peers = peers
        self._matching = matching

    @property
    def thresholds(self) -> Thresholds:
        """Which thresholds are in force, and why."""
        return self._matching.thresholds

    async def search(self, data: bytes) -> SearchResult:
        """Return the protected images that an image shows, the surest first.

        Raises
        ------
        ImageRefusedError
            When it cannot be fingerprinted.
        UnavailableError
            When the fingerprint service is away, or the comparison took too long.
        """
        extraction = await self._described(data)
        document = extraction.model_dump(include={"digest", "textureless", "views", "panels"})
        tags = [score.model_dump() for score in extraction.tags]
        looked_for = {**document, "_id": extraction.digest, "tag": tags[0]["tag"], "tags": tags}
        return await self._matching.search(looked_for, extraction.description)

    async def _described(self, data: bytes) -> Extraction:
        try:
            answer = await self._peers.post_bytes(ServiceName.FINGERPRINT, _PATH, data)
        except httpx.HTTPError as error:
            raise _no_fingerprints() from error
        if answer.is_success:
            return Extraction.model_validate_json(answer.content)
        if answer.headers.get("content-type") == MEDIA_TYPE:
            problem = Problem.model_validate_json(answer.content)
            if problem.code.startswith("image_"):
                raise ImageRefusedError(problem.code, problem.detail)
        logger.error("the fingerprint service answered %d: %s", answer.status_code, answer.text)
        raise _no_fingerprints()


def _no_fingerprints() -> UnavailableError:
    return UnavailableError("The fingerprint service is away for the moment; try again soon.")
