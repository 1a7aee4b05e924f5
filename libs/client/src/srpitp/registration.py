"""Owners, their keys, and their protected images."""

from collections.abc import Iterator
from datetime import datetime

from srpitp.connection import Connection
from srpitp_contracts.names import ServiceName
from srpitp_contracts.registration import (
    ImageByAddress,
    IssuedKey,
    Key,
    KeyRequest,
    Owner,
    OwnerChange,
    OwnerRequest,
    ProtectedImage,
    ProtectionPeriod,
)

_SERVICE = ServiceName.REGISTRATION


class Owners:
    """Those whose photos are protected; for administrators."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, name: str) -> Owner:
        """Make an owner."""
        return self._connection.create(_SERVICE, "/owners", Owner, body=OwnerRequest(name=name))

    def get(self, owner_id: str) -> Owner:
        """Show an owner."""
        return self._connection.get(_SERVICE, f"/owners/{owner_id}", Owner)

    def change(self, owner_id: str, change: OwnerChange) -> Owner:
        """Change of what an owner is alerted; what was not set in ``change`` stays as it is."""
        body = change.model_dump(mode="json", exclude_none=True)
        return self._connection.patch(_SERVICE, f"/owners/{owner_id}", Owner, body)

    def list(self) -> Iterator[Owner]:
        """Iterate over all owners, newest first."""
        return self._connection.pages(_SERVICE, "/owners", Owner)

    def keys(self, owner_id: str) -> Iterator[Key]:
        """Iterate over an owner's keys, newest first."""
        return self._connection.pages(_SERVICE, f"/owners/{owner_id}/keys", Key)

    def issue_key(self, owner_id: str, *, note: str = "") -> IssuedKey:
        """Make a key for an owner; its secret is shown only now."""
        path = f"/owners/{owner_id}/keys"
        return self._connection.post(_SERVICE, path, IssuedKey, body=KeyRequest(note=note))


class Keys:
    """API keys."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def issue(self, request: KeyRequest) -> IssuedKey:
        """Make a key for a reviewer, an administrator or a service."""
        return self._connection.post(_SERVICE, "/keys", IssuedKey, body=request)

    def list(self) -> Iterator[Key]:
        """Iterate over the keys that the caller may revoke, newest first."""
        return self._connection.pages(_SERVICE, "/keys", Key)

    def revoke(self, key_id: str) -> None:
        """Make a key worthless."""
        self._connection.call(_SERVICE, "DELETE", f"/keys/{key_id}")


class Images:
    """Protected images."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def protect(
        self,
        data: bytes,
        *,
        title: str = "",
        protected_from: datetime | None = None,
        protected_until: datetime | None = None,
        owner_id: str | None = None,
    ) -> ProtectedImage:
        """Put an image under protection.

        Parameters
        ----------
        data
            The bytes of its file.
        title
            What to call it.
        protected_from
            From now on, if None.
        protected_until
            Until it is deleted, if None.
        owner_id
            For whom, where the key is an administrator's.

        Raises
        ------
        ApiError
            ``already_protected``, or an ``image_...`` code that says why it is refused.
        """
        period = {"protected_from": protected_from, "protected_until": protected_until}
        return self._connection.create(
            _SERVICE,
            "/images",
            ProtectedImage,
            files={"file": (title or "image", data)},
            params={"owner_id": owner_id} if owner_id else {},
            data={"title": title} | {name: at.isoformat() for name, at in period.items() if at},
        )

    def protect_address(self, request: ImageByAddress) -> ProtectedImage:
        """Put an image under protection that the service fetches itself."""
        return self._connection.create(_SERVICE, "/images", ProtectedImage, body=request)

    def get(self, image_id: str) -> ProtectedImage:
        """Show a protected image."""
        return self._connection.get(_SERVICE, f"/images/{image_id}", ProtectedImage)

    def list(self, *, owner_id: str | None = None) -> Iterator[ProtectedImage]:
        """Iterate over the protected images that the caller may see, newest first."""
        return self._connection.pages(_SERVICE, "/images", ProtectedImage, owner_id=owner_id)

    def file(self, image_id: str) -> bytes:
        """Return the bytes that were put under protection."""
        return self._connection.call(_SERVICE, "GET", f"/images/{image_id}/file").content

    def change_period(self, image_id: str, period: ProtectionPeriod) -> ProtectedImage:
        """Change when an image is protected; what was not set in ``period`` stays as it is."""
        body = period.model_dump(mode="json", exclude_unset=True)
        return self._connection.patch(_SERVICE, f"/images/{image_id}", ProtectedImage, body)

    def delete(self, image_id: str) -> None:
        """End an image's protection and delete its file."""
        self._connection.call(_SERVICE, "DELETE", f"/images/{image_id}")
