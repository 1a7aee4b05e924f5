"""Who is calling: ``Authorization: Bearer <key>``, and what the key allows."""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from srpitp_contracts.names import Collection
from srpitp_contracts.registration import Scope
from srpitp_servicekit.mongo import Database
from srpitp_servicekit.problems import NotAllowedError, NotAuthenticatedError
from srpitp_servicekit.settings import ServiceSettings

KEY_PREFIX = "srpitp_"


@dataclass(frozen=True)
class Caller:
    """Whoever holds the key of a request."""

    key_id: str
    scopes: frozenset[Scope]
    owner_id: str | None = None

    @property
    def sees_everything(self) -> bool:
        """Whether the caller may see what belongs to any owner."""
        return bool(self.scopes & {Scope.ADMIN, Scope.REVIEWER, Scope.SERVICE})

    def may_see(self, owner_id: str) -> bool:
        """Return whether the caller may see what belongs to an owner."""
        return self.sees_everything or self.owner_id == owner_id


def new_secret() -> str:
    """Return a new key: 256 random bits, with a prefix that secret scanners can look for."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def hash_secret(secret: str) -> str:
    """Return what is kept of a key. It has 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Authenticator:
    """Knows the keys: the two of the settings, and those in the store."""

    def __init__(self, db: Database, settings: ServiceSettings) -> None:
        self._keys = db[Collection.API_KEYS]
        self._fixed = {
            hash_secret(settings.service_key.get_secret_value()): Caller(
                "service", frozenset({Scope.SERVICE})
            )
        }
        if settings.admin_key:
            self._fixed[hash_secret(settings.admin_key.get_secret_value())] = Caller(
                "admin", frozenset(Scope)
            )

    async def caller(self, secret: str) -> Caller:
        """Return whose key this is; raise `NotAuthenticatedError` when it is nobody's."""
        hashed = hash_secret(secret)
        for known, caller in self._fixed.items():
            if hmac.compare_digest(known, hashed):
                return caller
        document = await self._keys.find_one({"hash": hashed, "revoked_at": None})
        if document is None:
            raise NotAuthenticatedError("The key is not known, or was revoked.")
        return Caller(
            document["_id"], frozenset(map(Scope, document["scopes"])), document["owner_id"]
        )


_bearer = HTTPBearer(auto_error=False, description="an API key")


def require(*scopes: Scope) -> Callable[..., Coroutine[Any, Any, Caller]]:
    """Return a dependency that gives the caller, who has one of ``scopes`` (or is an admin)."""

    async def dependency(
        request: Request,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    ) -> Caller:
        if credentials is None:
            raise NotAuthenticatedError("Send your API key: 'Authorization: Bearer <key>'.")
        authenticator: Authenticator = request.app.state.authenticator
        caller = await authenticator.caller(credentials.credentials)
        if not caller.scopes & {*scopes, Scope.ADMIN}:
            needed = " or ".join(sorted(scopes))
            raise NotAllowedError(f"This needs a key with the scope {needed}.")
        return caller

    return dependency


OwnerCaller = Annotated[Caller, Depends(require(Scope.OWNER))]
ReaderCaller = Annotated[Caller, Depends(require(Scope.OWNER, Scope.REVIEWER))]
FileCaller = Annotated[Caller, Depends(require(Scope.OWNER, Scope.REVIEWER, Scope.SERVICE))]
"""Who may have a file: readers, and services that pass it on."""
ReviewerCaller = Annotated[Caller, Depends(require(Scope.REVIEWER))]
AdminCaller = Annotated[Caller, Depends(require(Scope.ADMIN))]
ServiceCaller = Annotated[Caller, Depends(require(Scope.SERVICE))]
