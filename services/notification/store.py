"""Subscriptions, alerts and deliveries in MongoDB."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from services.notification.signing import SigningSecret
from srpitp_contracts.alerting import Alert, Attempt, Delivery, DeliveryState, Subscription
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import Collection as Name
from srpitp_contracts.pages import Page
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
from srpitp_servicekit.paging import find_page
from srpitp_servicekit.queue import QUEUE_INDEX, DueQueue

_NEWEST = [("created_at", DESCENDING), ("_id", DESCENDING)]

INDEXES: Indexes = {
    Name.SUBSCRIPTIONS: [IndexModel([("owner_id", ASCENDING), *_NEWEST], name="owner")],
    Name.ALERTS: [
        IndexModel([("owner_id", ASCENDING), *_NEWEST], name="owner"),
        IndexModel([("match.protected_id", ASCENDING), *_NEWEST], name="protected"),
        IndexModel(_NEWEST, name="newest"),
    ],
    Name.DELIVERIES: [
        QUEUE_INDEX,
        IndexModel([("owner_id", ASCENDING), *_NEWEST], name="owner"),
        IndexModel([("alert_id", ASCENDING), *_NEWEST], name="alert"),
        IndexModel([("subscription_id", ASCENDING), *_NEWEST], name="subscription"),
        IndexModel(_NEWEST, name="newest"),
    ],
}

_ATTEMPTS_KEPT = 50
_ENDED = {"state": str(DeliveryState.ABANDONED), "due_at": None, "lease": None}


@dataclass(frozen=True)
class Claimed:
    """A delivery that this process is to make now."""

    delivery: Delivery
    failures: int
    """How many attempts failed since it was last asked for."""
    request_id: str | None
    document: Document = field(repr=False)


class NotificationStore:
    """The queries of the notification service."""

    def __init__(self, db: Database, *, lease: timedelta) -> None:
        self._db = db
        self._subscriptions = db[Name.SUBSCRIPTIONS]
        self._alerts = db[Name.ALERTS]
        self._deliveries = db[Name.DELIVERIES]
        # The attempts of a delivery are a list that owners read, so claims are counted elsewhere.
        self._queue = DueQueue(self._deliveries, lease=lease, counter="claims")

    async def add_subscription(self, subscription: Subscription, secret: SigningSecret) -> bool:
        """Add a subscription; return False when its id is taken."""
        try:
            await self._subscriptions.insert_one(
                to_document(subscription) | {"secrets": _documents([secret])}
            )
        except DuplicateKeyError:
            return False
        return True

    async def count_subscriptions(self, owner_id: str) -> int:
        """Return how many subscriptions an owner has."""
        return await self._subscriptions.count_documents({"owner_id": owner_id})

    async def subscription(self, subscription_id: str) -> Subscription | None:
        """Return a subscription."""
        document = await self._subscriptions.find_one({"_id": subscription_id})
        return from_document(Subscription, document) if document else None

    async def secrets(self, subscription_id: str) -> list[SigningSecret]:
        """Return a subscription's secrets, newest first."""
        document = await self._subscriptions.find_one({"_id": subscription_id}, {"secrets": 1})
        kept = document["secrets"] if document else []
        return [SigningSecret(one["value"], one["ends_at"]) for one in kept]

    async def replace_secrets(
        self, subscription_id: str, before: SigningSecret, after: Sequence[SigningSecret]
    ) -> bool:
        """Replace a subscription's secrets; return False when ``before`` is not its newest."""
        result = await self._subscriptions.update_one(
            {"_id": subscription_id, "secrets.0.value": before.value},
            {"$set": {"secrets": _documents(after)}},
        )
        return result.matched_count == 1

    async def subscriptions(
        self, owner_id: str | None, *, limit: int, cursor: str | None
    ) -> Page[Subscription]:
        """List subscriptions, those of one owner or all."""
        query = _given(owner_id=owner_id)
        return await find_page(self._subscriptions, query, Subscription, limit=limit, cursor=cursor)

    async def enable_subscription(self, subscription_id: str) -> None:
        """Let a subscription be told of what happens from now on."""
        await self._subscriptions.update_one(
            {"_id": subscription_id}, {"$set": {"disabled_at": None, "disabled_reason": None}}
        )

    async def remove_subscription(self, subscription_id: str) -> None:
        """Delete a subscription and end its waiting deliveries."""

        async def work(session: Session) -> None:
            await self._subscriptions.delete_one({"_id": subscription_id}, session=session)
            await self._end_waiting(subscription_id, session)

        await transaction(self._db, work)

    async def add_alert(
        self,
        alert: Alert,
        deliveries_to: Callable[[Sequence[Subscription]], Sequence[Delivery]],
        *,
        request_id: str | None,
    ) -> Alert:
        """Add an alert with its deliveries, all or nothing; an alert that is known stays as it is.

        Parameters
        ----------
        alert
            What happened.
        deliveries_to
            Chooses, among its owner's subscriptions, whom to tell.
        request_id
            Of the request that led to it, for the logs.
        """

        async def work(session: Session) -> Alert:
            known = await self._alerts.find_one({"_id": alert.id}, session=session)
            if known:
                return from_document(Alert, known)
            await self._alerts.update_one(
                {"_id": alert.id},
                {"$setOnInsert": to_document(alert)},
                upsert=True,
                session=session,
            )
            found = self._subscriptions.find({"owner_id": alert.owner_id}, session=session)
            subscriptions = [from_document(Subscription, one) async for one in found]
            deliveries = deliveries_to(subscriptions)
            if deliveries:
                extra = {"lease": None, "claims": 0, "failures": 0, "request_id": request_id}
                await self._deliveries.insert_many(
                    [to_document(delivery) | extra for delivery in deliveries], session=session
                )
            return alert

        return await transaction(self._db, work)

    async def alert(self, alert_id: str) -> Alert | None:
        """Return an alert."""
        document = await self._alerts.find_one({"_id": alert_id})
        return from_document(Alert, document) if document else None

    async def alerts(
        self, owner_id: str | None, protected_id: str | None, *, limit: int, cursor: str | None
    ) -> Page[Alert]:
        """List alerts, newest first."""
        query = _given(owner_id=owner_id) | _given(**{"match.protected_id": protected_id})
        return await find_page(self._alerts, query, Alert, limit=limit, cursor=cursor)

    async def delivery(self, delivery_id: str) -> Delivery | None:
        """Return a delivery."""
        document = await self._deliveries.find_one({"_id": delivery_id})
        return from_document(Delivery, document) if document else None

    async def deliveries(
        self,
        owner_id: str | None,
        *,
        alert_id: str | None,
        subscription_id: str | None,
        state: DeliveryState | None,
        limit: int,
        cursor: str | None,
    ) -> Page[Delivery]:
        """List deliveries, newest first."""
        query = _given(
            owner_id=owner_id, alert_id=alert_id, subscription_id=subscription_id, state=state
        )
        return await find_page(self._deliveries, query, Delivery, limit=limit, cursor=cursor)

    async def deliver_again(self, delivery_id: str) -> None:
        """Make a delivery due now, with its whole schedule ahead; not while it is being made."""
        again = {"state": str(DeliveryState.WAITING), "due_at": utc_now(), "failures": 0}
        await self._deliveries.update_one({"_id": delivery_id, "lease": None}, {"$set": again})

    async def claim(self, busy: Collection[str]) -> Claimed | None:
        """Return a due delivery to a subscription that is not among the busy ones."""
        document = await self._queue.claim({"subscription_id": {"$nin": list(busy)}})
        if document is None:
            return None
        delivery = from_document(Delivery, document)
        return Claimed(delivery, document["failures"], document["request_id"], document)

    @asynccontextmanager
    async def holding(self, claimed: Claimed) -> AsyncIterator[None]:
        """Keep a claim for as long as the block lasts."""
        async with self._queue.holding(claimed.document):
            yield

    async def end(
        self, claimed: Claimed, state: DeliveryState, attempt: Attempt | None = None
    ) -> None:
        """Note that a delivery was made or given up."""
        await self._queue.complete(
            claimed.document, {"state": str(state), **_attempts(claimed, attempt)}
        )

    async def retry(self, claimed: Claimed, attempt: Attempt, delay: timedelta) -> None:
        """Note a failed attempt; the next one is due after ``delay``."""
        fields = {"failures": claimed.failures + 1, **_attempts(claimed, attempt)}
        await self._queue.retry(claimed.document, delay, fields)

    async def put_off(self, subscription_id: str, until: datetime) -> None:
        """Let a subscription's waiting deliveries wait at least until a moment."""
        await self._deliveries.update_many(
            {"subscription_id": subscription_id, "lease": None, "due_at": {"$lt": until}},
            {"$set": {"due_at": until}},
        )

    async def disable_subscription(self, claimed: Claimed, attempt: Attempt, reason: str) -> None:
        """Disable a subscription and end the delivery that showed why, and all that wait."""
        subscription_id = claimed.delivery.subscription_id

        async def work(session: Session) -> None:
            await self._subscriptions.update_one(
                {"_id": subscription_id},
                {"$set": {"disabled_at": utc_now(), "disabled_reason": reason}},
                session=session,
            )
            await self._queue.complete(
                claimed.document,
                {"state": str(DeliveryState.ABANDONED), **_attempts(claimed, attempt)},
                session=session,
            )
            await self._end_waiting(subscription_id, session)

        await transaction(self._db, work)

    async def _end_waiting(self, subscription_id: str, session: Session) -> None:
        # One that is being made just now is left to its maker, who notes the attempt.
        await self._deliveries.update_many(
            {
                "subscription_id": subscription_id,
                "state": str(DeliveryState.WAITING),
                "lease": None,
            },
            {"$set": _ENDED},
            session=session,
        )


def _given(**conditions: str | None) -> dict[str, str]:
    return {name: str(value) for name, value in conditions.items() if value is not None}


def _documents(secrets: Sequence[SigningSecret]) -> list[Document]:
    return [{"value": secret.value, "ends_at": secret.ends_at} for secret in secrets]


def _attempts(claimed: Claimed, attempt: Attempt | None) -> Mapping[str, Any]:
    made = [*claimed.delivery.attempts, *([attempt] if attempt else [])]
    return {"attempts": [to_document(one) for one in made[-_ATTEMPTS_KEPT:]]}
