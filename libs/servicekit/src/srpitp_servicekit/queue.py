"""Work that waits in a collection: claimed under a lease, retried when it fails, never lost.

The outbox, the deliveries and the crawls all wait this way. A document of such a collection has
``due_at`` (null when there is nothing more to do), ``lease`` (the claim's random token) and
``attempts``. A claimed document is due again when its lease ends, so the work of a process that
was killed is taken up by the next one; the token keeps a process that lost its lease from
writing over the one that has it now.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from srpitp_contracts.identifiers import random_id
from srpitp_contracts.model import utc_now
from srpitp_servicekit.mongo import (
    ASCENDING,
    Document,
    DocumentCollection,
    IndexModel,
    PyMongoError,
    Session,
)

logger = logging.getLogger(__name__)

QUEUE_INDEX = IndexModel(
    [("due_at", ASCENDING)],
    name="due",
    partialFilterExpression={"due_at": {"$type": "date"}},
)
_LOOK_AHEAD = 16


def waiting_fields() -> Document:
    """Return the fields of work that is due now."""
    return {"due_at": utc_now(), "lease": None, "attempts": 0}


class DueQueue:
    """The due documents of a collection.

    Parameters
    ----------
    collection
        Where the work waits; its shard key, if it has one, is ``_id``.
    lease
        How long a claim holds without being renewed.
    only
        A filter that the documents meet, such as the sender whose work this is.
    counter
        The field that counts the claims.
    """

    def __init__(
        self,
        collection: DocumentCollection,
        *,
        lease: timedelta,
        only: Mapping[str, Any] | None = None,
        counter: str = "attempts",
    ) -> None:
        self._collection = collection
        self._lease = lease
        self._only = dict(only or {})
        self._counter = counter

    async def claim(self, only: Mapping[str, Any] | None = None) -> Document | None:
        """Return a due document under a new lease, or None when there is none.

        Parameters
        ----------
        only
            A further filter, for this claim.
        """
        now = utc_now()
        # The type is named since the partial index is used by queries that repeat its condition.
        due = {**self._only, **(only or {}), "due_at": {"$lte": now, "$type": "date"}}
        candidates = self._collection.find(due, {"_id": 1, "due_at": 1})
        async for candidate in candidates.sort("due_at", ASCENDING).limit(_LOOK_AHEAD):
            lease = random_id()
            # By _id, so that a sharded collection is asked on one shard; due_at is the witness
            # that nobody else claimed it in between.
            result = await self._collection.update_one(
                {"_id": candidate["_id"], "due_at": candidate["due_at"]},
                {"$set": {"due_at": now + self._lease, "lease": lease}, "$inc": {self._counter: 1}},
            )
            if result.modified_count:
                return await self._collection.find_one({"_id": candidate["_id"], "lease": lease})
        return None

    @asynccontextmanager
    async def holding(self, claimed: Mapping[str, Any]) -> AsyncIterator[None]:
        """Keep a claim for as long as the block lasts, however long that is."""
        task = asyncio.create_task(self._keep(claimed))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _keep(self, claimed: Mapping[str, Any]) -> None:
        while True:
            await asyncio.sleep(self._lease.total_seconds() / 3)
            try:
                if not await self.renew(claimed):
                    return
            except PyMongoError as error:  # the lease may still be saved by the next try
                logger.warning("the lease of %s was not renewed: %s", claimed["_id"], error)

    async def renew(self, claimed: Mapping[str, Any]) -> bool:
        """Extend a lease; return False when it was lost."""
        return await self._write(claimed, {"due_at": utc_now() + self._lease})

    async def complete(
        self,
        claimed: Mapping[str, Any],
        fields: Mapping[str, Any] | None = None,
        *,
        session: Session | None = None,
    ) -> bool:
        """End the work, setting ``fields``; return False when the lease was lost."""
        return await self._write(
            claimed, {**(fields or {}), "due_at": None, "lease": None}, session=session
        )

    async def retry(
        self,
        claimed: Mapping[str, Any],
        delay: timedelta,
        fields: Mapping[str, Any] | None = None,
    ) -> bool:
        """Make the work due again after ``delay``; return False when the lease was lost."""
        return await self._write(
            claimed, {**(fields or {}), "due_at": utc_now() + delay, "lease": None}
        )

    async def _write(
        self,
        claimed: Mapping[str, Any],
        fields: Mapping[str, Any],
        *,
        session: Session | None = None,
    ) -> bool:
        result = await self._collection.update_one(
            {"_id": claimed["_id"], "lease": claimed["lease"]},
            {"$set": dict(fields)},
            session=session,
        )
        return result.matched_count == 1
