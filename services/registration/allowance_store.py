"""Allowances in MongoDB, and what the matcher is told of them."""

from datetime import datetime

from srpitp_contracts.allowances import Allowance, AllowanceEvent
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import Collection, ServiceName
from srpitp_contracts.pages import Page
from srpitp_servicekit.mongo import (
    ASCENDING,
    DESCENDING,
    Database,
    Indexes,
    IndexModel,
    Session,
    from_document,
    to_document,
    transaction,
)
from srpitp_servicekit.outbox import Outbox
from srpitp_servicekit.paging import find_page

_NEWEST = [("created_at", DESCENDING), ("_id", DESCENDING)]

ALLOWANCE_INDEXES: Indexes = {
    Collection.ALLOWANCES: [
        IndexModel([("owner_id", ASCENDING), *_NEWEST], name="owner"),
        IndexModel(_NEWEST, name="newest"),
    ]
}


class AllowanceStore:
    """The queries of allowances."""

    def __init__(self, db: Database, outbox: Outbox) -> None:
        self._db = db
        self._outbox = outbox
        self._allowances = db[Collection.ALLOWANCES]

    async def add(self, allowance: Allowance) -> Allowance:
        """Add an allowance, or return the one that has the id already.

        The matcher is told when it begins and when it ends, each at its time.
        """
        fresh = {name: value for name, value in to_document(allowance).items() if name != "_id"}

        async def work(session: Session) -> Allowance:
            result = await self._allowances.update_one(
                {"_id": allowance.id},
                {"$setOnInsert": fresh},
                upsert=True,
                session=session,
            )
            if result.upserted_id is None:
                known = await self._allowances.find_one({"_id": allowance.id}, session=session)
                return from_document(Allowance, known) if known else allowance
            await self._tell(session, allowance, "begins", allowance.valid_from)
            if allowance.valid_until:
                await self._tell(session, allowance, "ends", allowance.valid_until)
            return allowance

        return await transaction(self._db, work)

    async def allowance(self, allowance_id: str) -> Allowance | None:
        """Return an allowance."""
        document = await self._allowances.find_one({"_id": allowance_id})
        return from_document(Allowance, document) if document else None

    async def count(self, owner_id: str) -> int:
        """Return how many allowances an owner has."""
        return await self._allowances.count_documents({"owner_id": owner_id})

    async def allowances(
        self, owner_id: str | None, *, limit: int, cursor: str | None
    ) -> Page[Allowance]:
        """List the allowances of an owner, or all."""
        query = {"owner_id": owner_id} if owner_id else {}
        return await find_page(self._allowances, query, Allowance, limit=limit, cursor=cursor)

    async def delete(self, allowance: Allowance) -> None:
        """Delete an allowance, and tell the matcher."""

        async def work(session: Session) -> None:
            deleted = await self._allowances.delete_one({"_id": allowance.id}, session=session)
            if deleted.deleted_count:
                await self._tell(session, allowance, "deleted", utc_now())

        await transaction(self._db, work)

    async def _tell(self, session: Session, allowance: Allowance, what: str, at: datetime) -> None:
        await self._outbox.add(
            session,
            to=ServiceName.MATCHER,
            subject="allowance",
            # With its time, since an id may be made anew after it was deleted.
            key=f"{allowance.id}:{allowance.created_at.isoformat()}:{what}",
            path=f"/v1/allowances/{allowance.id}",
            body=AllowanceEvent(owner_id=allowance.owner_id, at=at),
            not_before=at,
        )
