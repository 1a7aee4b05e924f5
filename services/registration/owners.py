"""Owners, their keys, and for whom a key acts."""

from services.registration.store import RegistrationStore
from srpitp_contracts.identifiers import random_id
from srpitp_contracts.model import utc_now
from srpitp_contracts.pages import Page
from srpitp_contracts.registration import (
    IssuedKey,
    Key,
    KeyRequest,
    Owner,
    OwnerChange,
    OwnerRequest,
    Scope,
)
from srpitp_servicekit.auth import Caller, hash_secret, new_secret
from srpitp_servicekit.idempotency import IdempotencyKeyReusedError
from srpitp_servicekit.problems import InvalidRequestError, NotAllowedError, NotFoundError


def owner_for(caller: Caller, owner_id: str | None) -> str:
    """Return for whom a caller acts: the owner of the key, or whom an administrator names."""
    wanted = owner_id or caller.owner_id
    if wanted is None:
        raise InvalidRequestError("Your key belongs to no owner; name one: ?owner_id=...")
    if not acts_for(caller, wanted):
        raise NotAllowedError("Your key belongs to another owner.")
    return wanted


def acts_for(caller: Caller, owner_id: str | None) -> bool:
    """Return whether a caller may change what belongs to an owner; seeing it takes less."""
    if Scope.ADMIN in caller.scopes:
        return True
    return owner_id is not None and caller.owner_id == owner_id


class OwnerService:
    """Owners and keys."""

    def __init__(self, store: RegistrationStore) -> None:
        self._store = store

    async def add_owner(self, request: OwnerRequest, owner_id: str) -> Owner:
        """Make an owner, or return the one that the same request made before."""
        owner = Owner(id=owner_id, name=request.name, created_at=utc_now())
        made = await self._store.add_owner(owner)
        if made.name != request.name:
            raise IdempotencyKeyReusedError
        return made

    async def owner(self, owner_id: str, caller: Caller) -> Owner:
        """Return an owner that the caller may see."""
        owner = await self._store.owner(owner_id) if caller.may_see(owner_id) else None
        if owner is None:
            raise NotFoundError("There is no such owner.")
        return owner

    async def change_owner(self, owner_id: str, change: OwnerChange, caller: Caller) -> Owner:
        """Change of what an owner is alerted, from the next match on."""
        if acts_for(caller, owner_id):
            await self._store.change_owner(owner_id, change)
        return await self.owner(owner_id, caller)

    async def owners(self, *, limit: int, cursor: str | None) -> Page[Owner]:
        """List all owners."""
        return await self._store.owners(limit=limit, cursor=cursor)

    async def issue_key(
        self, request: KeyRequest, caller: Caller, *, owner_id: str | None
    ) -> IssuedKey:
        """Make a key, for an owner or for those who run the system."""
        if owner_id is not None:
            if not acts_for(caller, owner_id) or not await self._store.owner(owner_id):
                raise NotFoundError("There is no such owner.")
            if request.scopes != {Scope.OWNER}:
                raise InvalidRequestError("A key of an owner has the scope owner, and no other.")
        elif Scope.OWNER in request.scopes:
            raise InvalidRequestError(
                "A key with the scope owner belongs to an owner: POST /v1/owners/{owner_id}/keys."
            )
        secret = new_secret()
        key = Key(id=random_id(), owner_id=owner_id, created_at=utc_now(), **request.model_dump())
        await self._store.add_key(key, hash_secret(secret))
        return IssuedKey(secret=secret, **key.model_dump())

    async def keys(
        self, caller: Caller, *, owner_id: str | None, limit: int, cursor: str | None
    ) -> Page[Key]:
        """List keys: an owner's own, or any for an administrator."""
        if Scope.ADMIN not in caller.scopes:
            if owner_id not in (None, caller.owner_id):
                raise NotFoundError("There is no such owner.")
            owner_id = caller.owner_id
        return await self._store.keys(owner_id, limit=limit, cursor=cursor)

    async def revoke_key(self, key_id: str, caller: Caller) -> None:
        """Make a key worthless, from the next request on."""
        key = await self._store.key(key_id)
        if key is None or not acts_for(caller, key.owner_id):
            raise NotFoundError("There is no such key.")
        await self._store.revoke_key(key_id)
