"""Where an owner's photos may be shown."""

from collections.abc import Iterator

from srpitp.connection import Connection
from srpitp_contracts.allowances import Allowance, AllowanceRequest
from srpitp_contracts.names import ServiceName

_SERVICE = ServiceName.REGISTRATION


class Allowances:
    """Licences: matches that they cover alert nobody."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, request: AllowanceRequest, *, owner_id: str | None = None) -> Allowance:
        """Make an allowance; an administrator names the owner."""
        params = {"owner_id": owner_id} if owner_id else {}
        return self._connection.create(
            _SERVICE, "/allowances", Allowance, body=request, params=params
        )

    def list(self, *, owner_id: str | None = None) -> Iterator[Allowance]:
        """Iterate over the allowances that the caller may see, newest first."""
        return self._connection.pages(_SERVICE, "/allowances", Allowance, owner_id=owner_id)

    def remove(self, allowance_id: str) -> None:
        """End an allowance; what only it covered is judged anew."""
        self._connection.call(_SERVICE, "DELETE", f"/allowances/{allowance_id}")
