"""Owners, keys, protected images and the claims on them, in MongoDB."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from srpitp_contracts.fingerprints import View
from srpitp_contracts.matching import ProtectedEvent
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import Collection, ServiceName
from srpitp_contracts.pages import Page
from srpitp_contracts.problems import ProblemCode
from srpitp_contracts.registration import (
    Key,
    Owner,
    OwnerChange,
    ProtectedImage,
    ProtectionPeriod,
    ProtectionStatus,
)
from srpitp_servicekit.idempotency import IdempotencyKeyReusedError
from srpitp_servicekit.mongo import (
    ASCENDING,
    DESCENDING,
    Database,
    Document,
    DuplicateKeyError,
    Indexes,
    IndexModel,
    Session,
    from_document,
    to_document,
    transaction,
)
from srpitp_servicekit.outbox import OUTBOX_INDEXES, Outbox
from srpitp_servicekit.paging import find_page
from srpitp_servicekit.problems import ConflictError

_NEWEST = [("created_at", DESCENDING), ("_id", DESCENDING)]
_ACTIVE = {"status": str(ProtectionStatus.ACTIVE)}

INDEXES: Indexes = {
    **OUTBOX_INDEXES,
    Collection.OWNERS: [IndexModel(_NEWEST, name="newest")],
    Collection.API_KEYS: [
        IndexModel([("hash", ASCENDING)], name="hash", unique=True),
        IndexModel([("owner_id", ASCENDING), *_NEWEST], name="owner"),
        IndexModel(_NEWEST, name="newest"),
    ],
    Collection.REGISTRY: [],
    Collection.DESCRIPTIONS: [],
    Collection.PROTECTED: [
        IndexModel([("tag", ASCENDING), ("_id", ASCENDING)], name="shard_key"),
        IndexModel([("updated_at", ASCENDING)], name="changed"),
        IndexModel([("owner_id", ASCENDING), *_NEWEST], name="owner"),
        IndexModel(_NEWEST, name="newest"),
    ],
}


class AlreadyProtectedError(ConflictError):
    """Someone, the caller perhaps, protects this photo; who it is, is not the caller's business."""

    code = ProblemCode.ALREADY_PROTECTED

    def __init__(self) -> None:
        super().__init__(
            "This photo is protected already, as the same file or with the same fingerprint; "
            "nothing was registered."
        )


@dataclass(frozen=True)
class Registration:
    """An image to be protected, with what is kept beside it."""

    image: ProtectedImage
    views: Sequence[View]
    description: bytes | None
    """Of local features too; read for candidates only, so kept apart from the image."""
    claims: Sequence[str]
    request: str
    """Tells a request that is sent again from another one with the same Idempotency-Key."""


class RegistrationStore:
    """The queries of the registration service."""

    def __init__(self, db: Database, outbox: Outbox) -> None:
        self._db = db
        self._outbox = outbox
        self._owners = db[Collection.OWNERS]
        self._keys = db[Collection.API_KEYS]
        self._registry = db[Collection.REGISTRY]
        self._protected = db[Collection.PROTECTED]
        self._descriptions = db[Collection.DESCRIPTIONS]

    async def add_owner(self, owner: Owner) -> Owner:
        """Add an owner, or return the one that has the id already."""
        try:
            await self._owners.insert_one(to_document(owner))
        except DuplicateKeyError:
            return await self.owner(owner.id) or owner
        return owner

    async def owner(self, owner_id: str) -> Owner | None:
        """Return an owner."""
        document = await self._owners.find_one({"_id": owner_id})
        return from_document(Owner, document) if document else None

    async def owners(self, *, limit: int, cursor: str | None) -> Page[Owner]:
        """List owners."""
        return await find_page(self._owners, {}, Owner, limit=limit, cursor=cursor)

    async def change_owner(self, owner_id: str, change: OwnerChange) -> None:
        """Change an owner; what is not set in ``change`` stays as it is."""
        if fields := change.model_dump(mode="json", exclude_none=True):
            await self._owners.update_one({"_id": owner_id}, {"$set": fields})

    async def add_key(self, key: Key, hashed_secret: str) -> None:
        """Add a key."""
        await self._keys.insert_one(to_document(key) | {"hash": hashed_secret})

    async def key(self, key_id: str) -> Key | None:
        """Return a key."""
        document = await self._keys.find_one({"_id": key_id})
        return from_document(Key, document) if document else None

    async def keys(self, owner_id: str | None, *, limit: int, cursor: str | None) -> Page[Key]:
        """List the keys of an owner, or all."""
        query = {"owner_id": owner_id} if owner_id else {}
        return await find_page(self._keys, query, Key, limit=limit, cursor=cursor)

    async def revoke_key(self, key_id: str) -> None:
        """Revoke a key; the first time counts."""
        await self._keys.update_one(
            {"_id": key_id, "revoked_at": None}, {"$set": {"revoked_at": utc_now()}}
        )

    async def image(self, image_id: str) -> ProtectedImage | None:
        """Return an image, deleted or not."""
        document = await self._protected.find_one({"_id": image_id})
        return from_document(ProtectedImage, document) if document else None

    async def made_by(self, image_id: str, request: str) -> ProtectedImage | None:
        """Return the image that a request made when it was sent before."""
        document = await self._protected.find_one({"_id": image_id})
        return _same_request(document, request) if document else None

    async def images(
        self, owner_id: str | None, *, limit: int, cursor: str | None
    ) -> Page[ProtectedImage]:
        """List the active images of an owner, or all."""
        query = _ACTIVE | ({"owner_id": owner_id} if owner_id else {})
        return await find_page(self._protected, query, ProtectedImage, limit=limit, cursor=cursor)

    async def is_claimed(self, claims: Sequence[str]) -> bool:
        """Return whether an image holds one of the claims."""
        return await self._registry.find_one({"_id": {"$in": list(claims)}}) is not None

    async def register(self, registration: Registration) -> ProtectedImage:
        """Protect an image, with its claims and the message to the matcher, or nothing of it.

        Raises
        ------
        AlreadyProtectedError
            When another image holds one of the claims.
        IdempotencyKeyReusedError
            When another request made the image of this id.
        """
        image = registration.image
        document = to_document(image) | {
            "views": [view.model_dump() for view in registration.views],
            "claims": list(registration.claims),
            "request": registration.request,
        }

        async def work(session: Session) -> ProtectedImage:
            for claim in registration.claims:
                await self._claim(session, claim, image.id)
            kept = await self._insert_once(session, document)
            made = _same_request(kept, registration.request)
            await self._describe(session, registration)
            await self._tell_matcher(session, made)
            return made

        return await transaction(self._db, work)

    async def _claim(self, session: Session, claim: str, image_id: str) -> None:
        # An upsert: a plain insert that finds the claim there would abort the transaction with a
        # duplicate key, also when it is our own of a first try whose answer got lost.
        fields = {"image_id": image_id, "claimed_at": utc_now()}
        result = await self._registry.update_one(
            {"_id": claim}, {"$setOnInsert": fields}, upsert=True, session=session
        )
        if result.upserted_id is None:
            held = await self._registry.find_one({"_id": claim}, session=session)
            if held is None or held["image_id"] != image_id:
                raise AlreadyProtectedError

    async def _insert_once(self, session: Session, document: Document) -> Document:
        key = {"tag": document["tag"], "_id": document["_id"]}
        rest = {name: value for name, value in document.items() if name not in key}
        result = await self._protected.update_one(
            key, {"$setOnInsert": rest}, upsert=True, session=session
        )
        if result.upserted_id is not None:
            return document
        return await self._protected.find_one(key, session=session) or document

    async def _describe(self, session: Session, registration: Registration) -> None:
        if registration.description is not None:
            await self._descriptions.update_one(
                {"_id": registration.image.id},
                {"$setOnInsert": {"packed": registration.description}},
                upsert=True,
                session=session,
            )

    async def change_period(
        self, image: ProtectedImage, period: ProtectionPeriod
    ) -> ProtectedImage | None:
        """Change when an image is protected, and tell the matcher.

        Returns None when the image is not as it was given any more: someone else changed it.
        """
        change = period.model_dump() | {"updated_at": _later_than(image.updated_at)}
        changed = image.model_copy(update=change)

        async def work(session: Session) -> ProtectedImage | None:
            result = await self._protected.update_one(
                {"tag": image.tag, "_id": image.id, **_ACTIVE, "updated_at": image.updated_at},
                {"$set": change},
                session=session,
            )
            if not result.matched_count:
                return None
            await self._tell_matcher(session, changed)
            return changed

        return await transaction(self._db, work)

    async def delete(self, image: ProtectedImage) -> None:
        """Delete all of an image but a tombstone, for those who read by change."""
        key = {"tag": image.tag, "_id": image.id}

        async def work(session: Session) -> None:
            document = await self._protected.find_one({**key, **_ACTIVE}, session=session)
            if document is None:
                return
            for claim in document["claims"]:
                await self._registry.delete_one(
                    {"_id": claim, "image_id": image.id}, session=session
                )
            deleted = {
                "status": str(ProtectionStatus.DELETED),
                "views": [],
                "updated_at": _later_than(document["updated_at"]),
            }
            await self._protected.update_one(key, {"$set": deleted}, session=session)
            await self._descriptions.delete_one({"_id": image.id}, session=session)

        await transaction(self._db, work)

    async def _tell_matcher(self, session: Session, image: ProtectedImage) -> None:
        await self._outbox.add(
            session,
            to=ServiceName.MATCHER,
            subject="protected",
            key=f"{image.id}:{image.updated_at.isoformat()}",
            path=f"/v1/protected/{image.id}",
            body=ProtectedEvent(tag=image.tag),
            not_before=image.protected_from,
        )


def _same_request(document: Document, request: str) -> ProtectedImage:
    if document["request"] != request:
        raise IdempotencyKeyReusedError
    return from_document(ProtectedImage, document)


def _later_than(moment: datetime) -> datetime:
    return max(utc_now(), moment + timedelta(milliseconds=1))
