"""Webhooks, alerts, and how their delivery went."""

from collections.abc import Iterator

from srpitp.connection import Connection
from srpitp_contracts.alerting import (
    Alert,
    Delivery,
    DeliveryState,
    IssuedSubscription,
    Subscription,
    SubscriptionRequest,
)
from srpitp_contracts.names import ServiceName

_SERVICE = ServiceName.NOTIFICATION


class Subscriptions:
    """Webhooks, signed as Standard Webhooks say."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, request: SubscriptionRequest) -> IssuedSubscription:
        """Make a webhook; its secret is shown only now."""
        return self._connection.create(_SERVICE, "/subscriptions", IssuedSubscription, body=request)

    def get(self, subscription_id: str) -> Subscription:
        """Show a webhook."""
        return self._connection.get(_SERVICE, f"/subscriptions/{subscription_id}", Subscription)

    def list(self) -> Iterator[Subscription]:
        """Iterate over the webhooks that the caller may see, newest first."""
        return self._connection.pages(_SERVICE, "/subscriptions", Subscription)

    def ping(self, subscription_id: str) -> Delivery:
        """Send a test event to a webhook; its delivery shows how it went."""
        return self._connection.post(_SERVICE, f"/subscriptions/{subscription_id}/ping", Delivery)

    def rotate_secret(self, subscription_id: str) -> IssuedSubscription:
        """Replace a webhook's secret; for a day both sign."""
        path = f"/subscriptions/{subscription_id}/secret"
        return self._connection.post(_SERVICE, path, IssuedSubscription)

    def enable(self, subscription_id: str) -> Subscription:
        """Enable a webhook again that was disabled since it answered 410."""
        path = f"/subscriptions/{subscription_id}/enable"
        return self._connection.post(_SERVICE, path, Subscription)

    def remove(self, subscription_id: str) -> None:
        """Send nothing more to a webhook."""
        self._connection.call(_SERVICE, "DELETE", f"/subscriptions/{subscription_id}")


class Alerts:
    """What owners were told."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, alert_id: str) -> Alert:
        """Show an alert."""
        return self._connection.get(_SERVICE, f"/alerts/{alert_id}", Alert)

    def list(self, *, protected_id: str | None = None) -> Iterator[Alert]:
        """Iterate over the alerts that the caller may see, newest first."""
        return self._connection.pages(_SERVICE, "/alerts", Alert, protected_id=protected_id)


class Deliveries:
    """The delivery of each alert to each webhook, with every attempt."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, delivery_id: str) -> Delivery:
        """Show a delivery."""
        return self._connection.get(_SERVICE, f"/deliveries/{delivery_id}", Delivery)

    def redeliver(self, delivery_id: str) -> Delivery:
        """Deliver again, whatever came of it before."""
        return self._connection.post(_SERVICE, f"/deliveries/{delivery_id}/redeliver", Delivery)

    def list(
        self,
        *,
        alert_id: str | None = None,
        subscription_id: str | None = None,
        state: DeliveryState | None = None,
    ) -> Iterator[Delivery]:
        """Iterate over deliveries, newest first."""
        return self._connection.pages(
            _SERVICE,
            "/deliveries",
            Delivery,
            alert_id=alert_id,
            subscription_id=subscription_id,
            state=state,
        )
