"""Telling another service what happened here, surely and once (transactional outbox).

A message is written in the transaction of the data that it tells of, sent over REST, and marked
sent on 2xx. Its id is derived from what it tells, and the receiver's call is idempotent, so
neither a message that is written twice nor one that is sent twice does harm.
"""

import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any

import httpx
from asgi_correlation_id import correlation_id
from pydantic import BaseModel

from srpitp_contracts.identifiers import derived_id, random_id
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import Collection, ServiceName
from srpitp_servicekit.background import Loop
from srpitp_servicekit.metrics import Metrics
from srpitp_servicekit.mongo import ASCENDING, Database, Document, IndexModel, PyMongoError, Session
from srpitp_servicekit.peers import Peers
from srpitp_servicekit.queue import QUEUE_INDEX, DueQueue, waiting_fields

logger = logging.getLogger(__name__)

OUTBOX_INDEXES = {
    Collection.OUTBOX: [
        QUEUE_INDEX,
        IndexModel([("sent_at", ASCENDING)], name="sent", expireAfterSeconds=7 * 86_400),
    ]
}
_LEASE = timedelta(seconds=10)
_FIRST_DELAY_SECONDS = 0.5
_LONGEST_DELAY_SECONDS = 300
_LONG_SECONDS = 60
_LONGEST_ASKED_SECONDS = 3600

OnSent = Callable[[str, Any], Awaitable[None]]
"""Takes a message's key and the JSON of the receiver's answer."""


class Outbox:
    """The messages of one service.

    Parameters
    ----------
    db
        The database.
    sender
        Whose messages these are.
    peers
        The other services.
    on_sent
        Per subject, what to do with the JSON of the answer; runs before the message is marked
        sent, so it must be idempotent.
    """

    def __init__(
        self,
        db: Database,
        sender: ServiceName,
        peers: Peers,
        *,
        on_sent: Mapping[str, OnSent] | None = None,
    ) -> None:
        self._collection = db[Collection.OUTBOX]
        self._sender = sender
        self._peers = peers
        self._on_sent = dict(on_sent or {})
        self._queue = DueQueue(self._collection, lease=_LEASE, only={"sender": sender})
        self._loop = Loop(f"{sender}-outbox", self._send_one, workers=4)

    async def add(
        self,
        session: Session,
        *,
        to: ServiceName,
        subject: str,
        key: str,
        path: str,
        body: BaseModel,
        not_before: datetime | None = None,
    ) -> None:
        """Write a message in the transaction of what it tells of.

        Parameters
        ----------
        session
            The transaction's session.
        to
            The receiver.
        subject
            What is told, such as ``detected``.
        key
            Of whom: telling the same subject of the same key again writes nothing.
        path
            Where the receiver takes it, by PUT.
        body
            What the receiver needs.
        not_before
            When to send it, if not at once.
        """
        waiting = waiting_fields()
        if not_before:
            waiting["due_at"] = max(not_before, waiting["due_at"])
        message = {
            "sender": str(self._sender),
            "to": str(to),
            "subject": subject,
            "key": key,
            "path": path,
            "body": body.model_dump(mode="json"),
            "request_id": correlation_id.get() or random_id(),
            "created_at": utc_now(),
            "sent_at": None,
            "last_error": None,
            **waiting,
        }
        await self._collection.update_one(
            {"_id": derived_id(self._sender, to, subject, key)},
            {"$setOnInsert": message},
            upsert=True,
            session=session,
        )

    def wake(self) -> None:
        """Send now what was added."""
        self._loop.wake()

    def running(self) -> AbstractAsyncContextManager[None]:
        """Send in the background for as long as the block lasts."""
        return self._loop.running()

    def measured_by(self, metrics: Metrics) -> None:
        """Have it measured how much waits, and for how long."""
        metrics.gauge("srpitp_outbox_waiting", "Messages that wait to be sent", self.pending)
        metrics.gauge(
            "srpitp_outbox_oldest_seconds", "Age of the oldest that waits", self.oldest_seconds
        )

    async def oldest_seconds(self) -> float:
        """Return how long the oldest message has waited; 0 if none does."""
        waiting = {"sender": self._sender, "sent_at": None}
        oldest = await self._collection.find_one(waiting, sort=[("created_at", ASCENDING)])
        return (utc_now() - oldest["created_at"]).total_seconds() if oldest else 0.0

    async def pending(self) -> int:
        """Return how many messages wait to be sent."""
        return await self._collection.count_documents({"sender": self._sender, "sent_at": None})

    async def _send_one(self) -> bool:
        message = await self._queue.claim()
        if message is None:
            return False
        correlation_id.set(message["request_id"])
        try:
            async with self._queue.holding(message):
                answer = await self._peers.put(
                    ServiceName(message["to"]), message["path"], message["body"]
                )
                if handle := self._on_sent.get(message["subject"]):
                    await handle(message["key"], answer)
        except Exception as error:  # whatever it was: the message is told again, after a while
            await self._postpone(message, error)
        else:
            await self._queue.complete(message, {"sent_at": utc_now(), "last_error": None})
        return True

    async def _postpone(self, message: Document, error: Exception) -> None:
        asked = asked_seconds(error)
        delay = backoff_seconds(message["attempts"]) if asked is None else asked
        logger.log(
            logging.WARNING if asked is None else logging.INFO,
            "%s %s was not told to %s, again in %.1f s: %s",
            message["subject"],
            message["key"],
            message["to"],
            delay,
            error,
            exc_info=not isinstance(error, httpx.HTTPError | PyMongoError),
        )
        text = f"{type(error).__name__}: {error}"[:500]
        await self._queue.retry(message, timedelta(seconds=delay), {"last_error": text})


def asked_seconds(error: Exception) -> float | None:
    """Return how long a receiver asks us to wait that is busy for long, with jitter.

    One that is away for a moment says so too; but then our own first tries come sooner.
    """
    if not isinstance(error, httpx.HTTPStatusError):
        return None
    value = error.response.headers.get("Retry-After", "")
    seconds = int(value) if value.isdecimal() else 0
    if seconds < _LONG_SECONDS:
        return None
    return min(seconds, _LONGEST_ASKED_SECONDS) * random.uniform(1, 1.25)  # noqa: S311  (jitter)


def backoff_seconds(attempts: int) -> float:
    """Return how long to wait after the given number of failed attempts, with jitter."""
    longest = min(_LONGEST_DELAY_SECONDS, _FIRST_DELAY_SECONDS * 2 ** min(attempts - 1, 20))
    return random.uniform(longest / 2, longest)  # noqa: S311  (jitter, not a secret)
