"""Webhooks, alerts, and how their delivery went."""

from collections.abc import Iterator

from srpitp.connection import Connection
from srpitp_contracts.alerting import (
    Alert,
    Delivery,
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
        return self._connection.post(_SERVICE, "/subscriptions", IssuedSubscription, json=request)

    def list(self) -> Iterator[Subscription]:
        """Iterate over the webhooks that the caller may see, newest first."""
        return self._connection.pages(_SERVICE, "/subscriptions", Subscription)

    def ping(self, subscription_id: str) -> Alert:
        """Send a test event to a webhook."""
        return self._connection.post(_SERVICE, f"/subscriptions/{subscription_id}/ping", Alert)

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

    def list(self) -> Iterator[Alert]:
        """Iterate over the alerts that the caller may see, newest first."""
        return self._connection.pages(_SERVICE, "/alerts", Alert)


class Deliveries:
    """The delivery of each alert to each webhook, with every attempt."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, delivery_id: str) -> Delivery:
        """Show a delivery."""
        return self._connection.get(_SERVICE, f"/deliveries/{delivery_id}", Delivery)

    def list(
        self, *, alert_id: str | None = None, subscription_id: str | None = None
    ) -> Iterator[Delivery]:
        """Iterate over deliveries, newest first."""
        return self._connection.pages(
            _SERVICE,
            "/deliveries",
            Delivery,
            alert_id=alert_id,
            subscription_id=subscription_id,
        )
