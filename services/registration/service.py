"""Registering photos for protection, and the owners and keys of those who do (paper, steps 1-3)."""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import httpx

from services.registration.owners import acts_for
from services.registration.store import AlreadyProtectedError, Registration, RegistrationStore
from srpitp_contracts.claims import claims_of, digest_claim
from srpitp_contracts.fingerprints import Extraction
from srpitp_contracts.identifiers import derived_id
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import ServiceName
from srpitp_contracts.pages import Page
from srpitp_contracts.problems import Problem
from srpitp_contracts.registration import (
    ImageByAddress,
    ImageDetails,
    ProtectedImage,
    ProtectionPeriod,
    ProtectionStatus,
)
from srpitp_servicekit.auth import Caller
from srpitp_servicekit.blobs import BlobKind, BlobStore
from srpitp_servicekit.egress import fetch
from srpitp_servicekit.peers import Peers
from srpitp_servicekit.problems import (
    MEDIA_TYPE,
    ConflictError,
    ImageRefusedError,
    InvalidRequestError,
    NotFoundError,
    UnavailableError,
)
from srpitp_servicekit.uploads import UploadFile

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Submission:
    """A request to protect an image; ``content`` is its digest, or the address where it lies."""

    image_id: str
    owner_id: str
    details: ImageDetails
    content: str

    @property
    def request(self) -> str:
        """Tells this request from another one with the same Idempotency-Key."""
        details = self.details.model_dump_json(include=set(ImageDetails.model_fields))
        return derived_id(self.owner_id, self.content, details)


class ImageService:
    """Protected images.

    Parameters
    ----------
    store
        Where they are kept.
    blobs
        Where their files are kept.
    peers
        The fingerprint service.
    web
        A guarded client, for images by address.
    max_bytes
        Of an image that is fetched.
    at_once
        How many images are held in memory.
    wake
        Called when there is something to tell the matcher.
    """

    def __init__(
        self,
        store: RegistrationStore,
        blobs: BlobStore,
        peers: Peers,
        web: httpx.AsyncClient,
        *,
        max_bytes: int,
        at_once: int,
        wake: Callable[[], None],
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._peers = peers
        self._web = web
        self._max_bytes = max_bytes
        self._in_memory = asyncio.Semaphore(at_once)
        self._wake = wake

    async def register_file(
        self, file: UploadFile, details: ImageDetails, *, owner_id: str, image_id: str
    ) -> ProtectedImage:
        """Protect an image that was sent to us."""
        async with self._in_memory:
            data = await file.read()
            digest = (await asyncio.to_thread(hashlib.sha256, data)).hexdigest()
            submission = Submission(image_id, owner_id, details, content=digest)
            return await self._made_before(submission) or await self._register(submission, data)

    async def register_address(
        self, request: ImageByAddress, *, owner_id: str, image_id: str
    ) -> ProtectedImage:
        """Protect an image that we fetch ourselves."""
        address = str(request.address)
        submission = Submission(image_id, owner_id, request, content=address)
        if made := await self._made_before(submission):
            return made
        async with self._in_memory:
            fetched = await fetch(self._web, address, max_bytes=self._max_bytes)
            return await self._register(submission, fetched.body, source_address=address)

    async def image(self, image_id: str, caller: Caller) -> ProtectedImage:
        """Return an image that the caller may see."""
        image = await self._store.image(image_id)
        if image is None or not caller.may_see(image.owner_id) or not _is_active(image):
            raise _no_such_image()
        return image

    async def images(
        self, caller: Caller, *, owner_id: str | None, limit: int, cursor: str | None
    ) -> Page[ProtectedImage]:
        """List the images of an owner, or all for those who may see them."""
        if not caller.sees_everything:
            if owner_id not in (None, caller.owner_id):
                raise NotFoundError("There is no such owner.")
            owner_id = caller.owner_id
        return await self._store.images(owner_id, limit=limit, cursor=cursor)

    async def file(self, image: ProtectedImage) -> bytes:
        """Return the file of an image."""
        data = await self._blobs.get(image.storage_address)
        if data is None:
            logger.error("the file of image %s is lost: %s", image.id, image.storage_address)
            raise NotFoundError("The file of this image is lost; the image stays protected.")
        return data

    async def change_period(
        self, image_id: str, wanted: ProtectionPeriod, caller: Caller
    ) -> ProtectedImage:
        """Change when an image is protected; what ``wanted`` leaves out stays as it is."""
        image = await self._own_image(image_id, caller)
        if not _is_active(image):
            raise _no_such_image()
        kept = image.model_dump(
            include=set(ProtectionPeriod.model_fields) - wanted.model_fields_set
        )
        period = period_at(utc_now(), wanted.model_copy(update=kept))
        changed = await self._store.change_period(image, period)
        if changed is None:
            raise ConflictError("The image was changed or deleted just now; look, and try again.")
        self._wake()
        return changed

    async def delete(self, image_id: str, caller: Caller) -> None:
        """End an image's protection and delete its file; doing it again finishes a cut-off one."""
        image = await self._own_image(image_id, caller)
        data = await self._blobs.get(image.storage_address)
        await self._store.delete(image)
        await self._blobs.delete(image.storage_address)
        # The same file may have been registered anew since the claim on it was released. Here it
        # is put back; `_register` sees to it when it commits after this look at the claim.
        if data is not None and await self._store.is_claimed([digest_claim(image.digest)]):
            await self._blobs.put(BlobKind.PROTECTED, data)

    async def _own_image(self, image_id: str, caller: Caller) -> ProtectedImage:
        image = await self._store.image(image_id)
        if image is None or not acts_for(caller, image.owner_id):
            raise _no_such_image()
        return image

    async def _made_before(self, submission: Submission) -> ProtectedImage | None:
        made = await self._store.made_by(submission.image_id, submission.request)
        if made and not _is_active(made):
            raise ConflictError("The image that this Idempotency-Key made was deleted since.")
        return made

    async def _register(
        self, submission: Submission, data: bytes, *, source_address: str | None = None
    ) -> ProtectedImage:
        if await self._store.owner(submission.owner_id) is None:
            raise NotFoundError("There is no such owner.")
        period = period_at(utc_now(), submission.details)
        extraction = await self._extract(data)
        claims = claims_of(extraction)
        # The transaction decides; this look keeps a refused photo from being stored at all.
        if await self._store.is_claimed(claims):
            if made := await self._made_before(submission):  # meanwhile: it was sent twice
                return made
            raise AlreadyProtectedError
        address = await self._blobs.put(BlobKind.PROTECTED, data)
        image = _image(submission, extraction, period, address, source_address)
        made = await self._store.register(
            Registration(
                image, extraction.views, extraction.description, claims, submission.request
            )
        )
        # Until now nothing referred to the file, so someone who deleted the same photo may have
        # taken it away; from now on nobody will.
        await self._blobs.put(BlobKind.PROTECTED, data)
        self._wake()
        return made

    async def _extract(self, data: bytes) -> Extraction:
        try:
            answer = await self._peers.post_bytes(ServiceName.FINGERPRINT, "/v1/fingerprints", data)
        except httpx.HTTPError as error:
            raise _no_fingerprints() from error
        if answer.is_success:
            return Extraction.model_validate_json(answer.content)
        raise _refusal(answer)


def period_at(now: datetime, wanted: ProtectionPeriod) -> ProtectionPeriod:
    """Return a period with its beginning filled in; refuse one that is over."""
    begins, ends = wanted.protected_from or now, wanted.protected_until
    if ends and ends <= now:
        raise InvalidRequestError(
            "protected_until lies in the past, so nothing would be protected; name a later "
            "moment, or leave it out for protection without end."
        )
    if ends and ends <= begins:
        raise InvalidRequestError("protected_until must lie after protected_from.")
    return ProtectionPeriod(protected_from=begins, protected_until=ends)


def _is_active(image: ProtectedImage) -> bool:
    return image.status is ProtectionStatus.ACTIVE


def _no_such_image() -> NotFoundError:
    return NotFoundError("There is no such image.")


def _no_fingerprints() -> UnavailableError:
    return UnavailableError(
        "The fingerprint service is away for the moment; nothing was registered, try again soon."
    )


def _refusal(answer: httpx.Response) -> ImageRefusedError | UnavailableError:
    """Return why the fingerprint service did not fingerprint an image, as our own answer."""
    if answer.headers.get("content-type") == MEDIA_TYPE:
        problem = Problem.model_validate_json(answer.content)
        if problem.code.startswith("image_"):
            return ImageRefusedError(problem.code, problem.detail)
    logger.error("the fingerprint service answered %d: %s", answer.status_code, answer.text[:500])
    return _no_fingerprints()


def _image(
    submission: Submission,
    extraction: Extraction,
    period: ProtectionPeriod,
    storage_address: str,
    source_address: str | None,
) -> ProtectedImage:
    now = utc_now()
    return ProtectedImage(
        **extraction.model_dump(exclude={"frames", "views", "panels", "description"}),
        **period.model_dump(),
        id=submission.image_id,
        owner_id=submission.owner_id,
        title=submission.details.title,
        tag=extraction.tags[0].tag,
        source_address=source_address,
        storage_address=storage_address,
        status=ProtectionStatus.ACTIVE,
        created_at=now,
        updated_at=now,
    )
