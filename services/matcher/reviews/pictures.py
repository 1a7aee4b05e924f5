"""What a reviewer looks at: the photo and its copy, aligned as the match says.

Nothing is decoded here: the files are fetched from the services that keep them, and the
fingerprint service draws them in a process made for strangers' bytes.
"""

import asyncio
from typing import NoReturn

import httpx

from srpitp_contracts.comparisons import ComparisonRequest, PictureKind
from srpitp_contracts.matching import Match
from srpitp_contracts.names import ServiceName
from srpitp_contracts.problems import Problem
from srpitp_servicekit.peers import Peers
from srpitp_servicekit.problems import (
    MEDIA_TYPE,
    ImageRefusedError,
    NotFoundError,
    UnavailableError,
)

_AT_ONCE = 2  # two files each, in memory


class Pictures:
    """Has matches drawn."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        self._in_memory = asyncio.Semaphore(_AT_ONCE)

    async def of(self, match: Match, kind: PictureKind) -> bytes:
        """Return a JPEG of a match.

        Raises
        ------
        NotFoundError
            One of the files is not there any more.
        ImageRefusedError
            One of them cannot be drawn.
        UnavailableError
            A service is away.
        """
        form = {"request": comparison_of(match, kind).model_dump_json()}
        async with self._in_memory:
            try:
                files = {
                    "detected": await self._file(
                        ServiceName.CRAWLER, f"/v1/detected/{match.detected_id}/file"
                    ),
                    "protected": await self._file(
                        ServiceName.REGISTRATION, f"/v1/images/{match.protected_id}/file"
                    ),
                }
                answer = await self._peers.post_files(
                    ServiceName.FINGERPRINT, "/v1/comparisons", files, form
                )
            except httpx.HTTPError as error:
                raise UnavailableError("A service that is needed is away; try again.") from error
        if not answer.is_success:
            _refuse(answer)
        return answer.content

    async def _file(self, service: ServiceName, path: str) -> bytes:
        answer = await self._peers.get(service, path)
        if not answer.is_success:
            _refuse(answer)
        return answer.content


def comparison_of(match: Match, kind: PictureKind) -> ComparisonRequest:
    """Return how the detected picture of a match lies in the protected one, as far as is known."""
    seen = match.verification
    if seen is None:
        return ComparisonRequest(kind=kind)
    placed = {"kind": kind, "orientation": seen.orientation, "negative": seen.negative}
    if seen.alignment is not None:
        placed["orientation"] = "hflip" if seen.alignment.mirrored else "identity"
        placed["transform"] = seen.alignment.transform
    return ComparisonRequest.model_validate(placed)


def _refuse(answer: httpx.Response) -> NoReturn:
    """Say what a service said, where it is of use to the caller."""
    if answer.headers.get("content-type") == MEDIA_TYPE:
        problem = Problem.model_validate_json(answer.content)
        if problem.code.startswith("image_"):
            raise ImageRefusedError(problem.code, problem.detail)
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise NotFoundError(f"The picture cannot be drawn. {problem.detail}")
    raise UnavailableError("A service that is needed is away for the moment; try again.")
