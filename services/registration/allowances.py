"""Where an owner's photos may be shown: who may say so, and for how long."""

from collections.abc import Callable

from services.registration.allowance_store import AllowanceStore
from services.registration.owners import acts_for
from services.registration.store import RegistrationStore
from srpitp_contracts.allowances import Allowance, AllowanceKind, AllowanceRequest, place_of
from srpitp_contracts.model import utc_now
from srpitp_contracts.pages import Page
from srpitp_servicekit.auth import Caller
from srpitp_servicekit.idempotency import IdempotencyKeyReusedError
from srpitp_servicekit.problems import ConflictError, InvalidRequestError, NotFoundError


class AllowanceService:
    """Allowances.

    Parameters
    ----------
    owners, store
        Where owners and allowances are kept.
    at_most
        How many an owner may have: the matcher looks at all of them for each match.
    wake
        Called when there is something to tell the matcher.
    """

    def __init__(
        self,
        owners: RegistrationStore,
        store: AllowanceStore,
        *,
        at_most: int,
        wake: Callable[[], None],
    ) -> None:
        self._owners = owners
        self._store = store
        self._at_most = at_most
        self._wake = wake

    async def allow(
        self, request: AllowanceRequest, *, owner_id: str, allowance_id: str
    ) -> Allowance:
        """Make an allowance, or return the one that the same request made before."""
        allowance = _allowance(request, owner_id, allowance_id)
        made = await self._store.allowance(allowance_id)
        if made is None:
            await self._check_room(owner_id)
            made = await self._store.add(allowance)
        same = set(Allowance.model_fields) - {"created_at"}
        if request.valid_from is None:
            same -= {"valid_from"}
        if made.model_dump(include=same) != allowance.model_dump(include=same):
            raise IdempotencyKeyReusedError
        self._wake()
        return made

    async def allowances(
        self, caller: Caller, *, owner_id: str | None, limit: int, cursor: str | None
    ) -> Page[Allowance]:
        """List the allowances of an owner, or all for those who may see them."""
        if not caller.sees_everything:
            if owner_id not in (None, caller.owner_id):
                raise NotFoundError("There is no such owner.")
            owner_id = caller.owner_id
        return await self._store.allowances(owner_id, limit=limit, cursor=cursor)

    async def end(self, allowance_id: str, caller: Caller) -> None:
        """Delete an allowance; what only it covered is judged anew, and alerted if it is due."""
        allowance = await self._store.allowance(allowance_id)
        if allowance is None or not acts_for(caller, allowance.owner_id):
            raise NotFoundError("There is no such allowance.")
        await self._store.delete(allowance)
        self._wake()

    async def _check_room(self, owner_id: str) -> None:
        if await self._owners.owner(owner_id) is None:
            raise NotFoundError("There is no such owner.")
        if await self._store.count(owner_id) >= self._at_most:
            raise ConflictError(
                f"There are {self._at_most} allowances already; delete one first, or name a "
                "site rather than each of its pages."
            )


def _allowance(request: AllowanceRequest, owner_id: str, allowance_id: str) -> Allowance:
    now = utc_now()
    if request.valid_until and request.valid_until <= now:
        raise InvalidRequestError("valid_until lies in the past, so nothing would be allowed.")
    where = str(place_of(request.kind, request.value, request.on))
    by_name = request.kind is AllowanceKind.UPLOADER
    return Allowance(
        id=allowance_id,
        owner_id=owner_id,
        kind=request.kind,
        value=request.value if by_name else where,
        on=where if by_name else None,
        image_ids=request.image_ids,
        valid_from=request.valid_from or now,
        valid_until=request.valid_until,
        note=request.note,
        created_at=now,
    )
