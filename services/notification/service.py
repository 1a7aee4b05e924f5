"""Decisions of the notification service: who may subscribe, and who is told of what."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from asgi_correlation_id import correlation_id

from services.notification.settings import Settings
from services.notification.signing import new_secret, rotated
from services.notification.store import NotificationStore
from srpitp_contracts.alerting import (
    Alert,
    AlertRequest,
    Delivery,
    DeliveryState,
    IssuedSubscription,
    Subscription,
    SubscriptionRequest,
)
from srpitp_contracts.events import EventType
from srpitp_contracts.identifiers import derived_id, random_id
from srpitp_contracts.model import utc_now
from srpitp_contracts.pages import Page
from srpitp_contracts.registration import Scope
from srpitp_servicekit.auth import Caller
from srpitp_servicekit.egress import AddressPolicy
from srpitp_servicekit.idempotency import IdempotencyKeyReusedError, id_for
from srpitp_servicekit.problems import (
    ConflictError,
    InvalidRequestError,
    NotAllowedError,
    NotFoundError,
)


class NotificationService:
    """What the routes ask for.

    Parameters
    ----------
    store
        The queries.
    policy
        Which addresses may be subscribed.
    settings
        The limits.
    wake
        Called when there is something to deliver.
    """

    def __init__(
        self,
        store: NotificationStore,
        policy: AddressPolicy,
        settings: Settings,
        wake: Callable[[], None],
    ) -> None:
        self._store = store
        self._policy = policy
        self._settings = settings
        self._wake = wake

    async def subscribe(
        self, request: SubscriptionRequest, caller: Caller, idempotency_key: str | None
    ) -> IssuedSubscription:
        """Make a subscription, or answer as before when the key made it already."""
        if caller.owner_id is None:
            raise NotAllowedError("Only an owner can subscribe; this key belongs to none.")
        subscription = Subscription(
            id=id_for(caller, "subscriptions", idempotency_key),
            owner_id=caller.owner_id,
            address=str(request.address),
            event_types=request.event_types,
            image_ids=request.image_ids,
            created_at=utc_now(),
        )
        if made := await self._store.subscription(subscription.id):
            return await self._made_before(made, subscription)
        if request.address.username or request.address.password:
            raise InvalidRequestError(
                "Leave credentials out of the address: our signature is what to check."
            )
        await self._policy.resolve(subscription.address)
        most = self._settings.subscriptions_per_owner
        if await self._store.count_subscriptions(caller.owner_id) >= most:
            raise ConflictError(f"You have {most} subscriptions already; delete one first.")
        secret = new_secret()
        if not await self._store.add_subscription(subscription, secret):
            return await self._made_before(await self._found(subscription.id), subscription)
        return _issued(subscription, secret.value)

    async def _made_before(self, made: Subscription, wanted: Subscription) -> IssuedSubscription:
        # The caller may never have got the answer of the request that made it, so the answer is
        # given again, secret and all: whoever has this API key could replace the secret anyway.
        same = {"address", "event_types", "image_ids"}
        if made.model_dump(include=same) != wanted.model_dump(include=same):
            raise IdempotencyKeyReusedError
        secrets = await self._store.secrets(made.id)
        return _issued(made, secrets[0].value)

    async def subscription(self, subscription_id: str, caller: Caller) -> Subscription:
        """Return a subscription of the caller's."""
        subscription = await self._found(subscription_id)
        if not _owns(caller, subscription.owner_id):
            raise _no_subscription(subscription_id)
        return subscription

    async def subscriptions(
        self, caller: Caller, *, limit: int, cursor: str | None
    ) -> Page[Subscription]:
        """List the caller's subscriptions; an administrator sees all."""
        owner_id = None if Scope.ADMIN in caller.scopes else caller.owner_id
        return await self._store.subscriptions(owner_id, limit=limit, cursor=cursor)

    async def unsubscribe(self, subscription_id: str, caller: Caller) -> None:
        """Delete a subscription; what waits to be delivered to it is given up."""
        await self.subscription(subscription_id, caller)
        await self._store.remove_subscription(subscription_id)

    async def rotate_secret(self, subscription_id: str, caller: Caller) -> IssuedSubscription:
        """Give a subscription a new secret; the old one signs beside it for a while."""
        subscription = await self.subscription(subscription_id, caller)
        known = await self._store.secrets(subscription_id)
        new = new_secret()
        overlap = timedelta(seconds=self._settings.secret_overlap_seconds)
        after = rotated(known, new, now=utc_now(), overlap=overlap)
        if not known or not await self._store.replace_secrets(subscription_id, known[0], after):
            raise ConflictError("The subscription changed at the same moment; try again.")
        return _issued(subscription, new.value)

    async def enable(self, subscription_id: str, caller: Caller) -> Subscription:
        """Enable a subscription that was disabled; what was given up meanwhile stays so."""
        await self.subscription(subscription_id, caller)
        await self._store.enable_subscription(subscription_id)
        return await self._found(subscription_id)

    async def ping(self, subscription_id: str, caller: Caller) -> Delivery:
        """Send a subscription an event without content, whatever events it asked for."""
        subscription = _enabled(await self.subscription(subscription_id, caller))
        alert = Alert(
            id=random_id(),
            type=EventType.PING,
            owner_id=subscription.owner_id,
            created_at=utc_now(),
            match=None,
        )
        delivery = self._delivery(alert, subscription)
        await self._store.add_alert(alert, lambda _: [delivery], request_id=correlation_id.get())
        self._wake()
        return delivery

    async def alert(self, alert_id: str, request: AlertRequest) -> Alert:
        """Take an alert, once, and begin to deliver it to whoever subscribed to it."""
        alert = Alert(
            id=alert_id,
            type=request.type,
            owner_id=request.owner_id,
            created_at=utc_now(),
            match=request.match,
        )

        def deliveries_to(subscriptions: Sequence[Subscription]) -> list[Delivery]:
            return [self._delivery(alert, one) for one in subscriptions if wants(one, alert)]

        taken = await self._store.add_alert(alert, deliveries_to, request_id=correlation_id.get())
        self._wake()
        return taken

    async def shown_alert(self, alert_id: str, caller: Caller) -> Alert:
        """Return an alert that the caller may see."""
        alert = await self._store.alert(alert_id)
        if alert is None or not caller.may_see(alert.owner_id):
            raise NotFoundError(f"There is no alert {alert_id}.")
        return alert

    async def alerts(
        self, caller: Caller, *, protected_id: str | None, limit: int, cursor: str | None
    ) -> Page[Alert]:
        """List the alerts that the caller may see."""
        return await self._store.alerts(_seen_by(caller), protected_id, limit=limit, cursor=cursor)

    async def delivery(self, delivery_id: str, caller: Caller) -> Delivery:
        """Return a delivery that the caller may see."""
        delivery = await self._store.delivery(delivery_id)
        if delivery is None or not caller.may_see(delivery.owner_id):
            raise NotFoundError(f"There is no delivery {delivery_id}.")
        return delivery

    async def deliveries(
        self,
        caller: Caller,
        *,
        alert_id: str | None,
        subscription_id: str | None,
        state: DeliveryState | None,
        limit: int,
        cursor: str | None,
    ) -> Page[Delivery]:
        """List the deliveries that the caller may see."""
        return await self._store.deliveries(
            _seen_by(caller),
            alert_id=alert_id,
            subscription_id=subscription_id,
            state=state,
            limit=limit,
            cursor=cursor,
        )

    async def redeliver(self, delivery_id: str, caller: Caller) -> Delivery:
        """Deliver again, with the same webhook-id and the whole schedule ahead."""
        delivery = await self.delivery(delivery_id, caller)
        subscription = await self._store.subscription(delivery.subscription_id)
        if subscription is None:
            raise ConflictError("The subscription was deleted; there is nobody to deliver to.")
        if not _owns(caller, subscription.owner_id):
            raise NotAllowedError("Only the subscription's owner can ask for this.")
        _enabled(subscription)
        await self._store.deliver_again(delivery_id)
        self._wake()
        return await self.delivery(delivery_id, caller)

    def _delivery(self, alert: Alert, subscription: Subscription) -> Delivery:
        first = timedelta(seconds=self._settings.delivery_schedule_seconds[0])
        return Delivery(
            id=derived_id("delivery", alert.id, subscription.id),
            alert_id=alert.id,
            subscription_id=subscription.id,
            owner_id=alert.owner_id,
            state=DeliveryState.WAITING,
            attempts=[],
            due_at=alert.created_at + first,
            created_at=alert.created_at,
        )

    async def _found(self, subscription_id: str) -> Subscription:
        subscription = await self._store.subscription(subscription_id)
        if subscription is None:
            raise _no_subscription(subscription_id)
        return subscription


def wants(subscription: Subscription, alert: Alert) -> bool:
    """Return whether a subscription is told of an alert."""
    if subscription.disabled_at or alert.type not in subscription.event_types:
        return False
    if not subscription.image_ids:
        return True
    return alert.match is not None and alert.match.protected_id in subscription.image_ids


def _owns(caller: Caller, owner_id: str) -> bool:
    # Narrower than may_see: a reviewer reads what everyone is told, but changes nothing.
    return caller.owner_id == owner_id or Scope.ADMIN in caller.scopes


def _seen_by(caller: Caller) -> str | None:
    return None if caller.sees_everything else caller.owner_id


def _enabled(subscription: Subscription) -> Subscription:
    if subscription.disabled_at:
        raise ConflictError(
            f"The subscription is disabled ({subscription.disabled_reason}); enable it first."
        )
    return subscription


def _issued(subscription: Subscription, secret: str) -> IssuedSubscription:
    return IssuedSubscription(**subscription.model_dump(), secret=secret)


def _no_subscription(subscription_id: str) -> NotFoundError:
    return NotFoundError(f"There is no subscription {subscription_id}.")
