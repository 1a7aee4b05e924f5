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
    OwnerRequest,
    ProtectedImage,
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

    def list(self) -> Iterator[Owner]:
        """Iterate over all owners, newest first."""
        return self._connection.pages(_SERVICE, "/owners", Owner)

    def issue_key(self, owner_id: str, request: KeyRequest | None = None) -> IssuedKey:
        """Make a key for an owner; its secret is shown only now."""
        path = f"/owners/{owner_id}/keys"
        return self._connection.create(_SERVICE, path, IssuedKey, body=request or KeyRequest())


class Keys:
    """API keys, without their secrets."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> Iterator[Key]:
        """Iterate over the keys that the caller may see, newest first."""
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
            data={"title": title} | {name: at.isoformat() for name, at in period.items() if at},
        )

    def protect_address(self, request: ImageByAddress) -> ProtectedImage:
        """Put an image under protection that the service fetches itself."""
        return self._connection.create(_SERVICE, "/images/by-address", ProtectedImage, body=request)

    def get(self, image_id: str) -> ProtectedImage:
        """Show a protected image."""
        return self._connection.get(_SERVICE, f"/images/{image_id}", ProtectedImage)

    def list(self) -> Iterator[ProtectedImage]:
        """Iterate over the protected images that the caller may see, newest first."""
        return self._connection.pages(_SERVICE, "/images", ProtectedImage)

    def file(self, image_id: str) -> bytes:
        """Return the bytes that were put under protection."""
        return self._connection.call(_SERVICE, "GET", f"/images/{image_id}/file").content

    def delete(self, image_id: str) -> None:
        """End an image's protection and delete its file."""
        self._connection.call(_SERVICE, "DELETE", f"/images/{image_id}")
