"""Subscriptions, alerts and deliveries: the interface of the notification service."""

from enum import StrEnum
from typing import Annotated

from pydantic import AnyHttpUrl, Field, UrlConstraints

from srpitp_contracts.events import EventType
from srpitp_contracts.matching import MatchWithSightings
from srpitp_contracts.model import Identifier, Model, Several, UtcTime


class SubscriptionRequest(Model):
    """A new webhook."""

    address: Annotated[AnyHttpUrl, UrlConstraints(max_length=2000)]
    event_types: Annotated[Several[EventType], Field(min_length=1)] = frozenset(EventType)
    image_ids: Several[Identifier] = Field(
        default=frozenset(),
        max_length=1000,
        description="only these protected images; all when empty",
    )


class Subscription(Model):
    """A webhook, without its secret."""

    id: Identifier
    owner_id: Identifier
    address: str
    event_types: Several[EventType]
    image_ids: Several[Identifier]
    created_at: UtcTime
    disabled_at: UtcTime | None = None
    disabled_reason: str | None = None


class IssuedSubscription(Subscription):
    """A webhook as it is shown once, when it is made."""

    secret: str = Field(description="whsec_..., for checking our signatures; shown only now")


class AlertRequest(Model):
    """Something happened to a match: tell its owner."""

    type: EventType
    owner_id: Identifier
    match: MatchWithSightings


class Alert(Model):
    """What an owner is told."""

    id: Identifier
    type: EventType
    owner_id: Identifier
    created_at: UtcTime
    match: MatchWithSightings | None = Field(description="null for a ping")


class WebhookEvent(Model):
    """The body of a webhook (Standard Webhooks: type, timestamp, data)."""

    type: EventType
    timestamp: UtcTime = Field(description="when the event happened, not when it was sent")
    data: MatchWithSightings | None


class DeliveryState(StrEnum):
    """How far the telling of one alert to one subscriber is."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    ABANDONED = "abandoned"


class Attempt(Model):
    """One request to a subscriber."""

    at: UtcTime
    status: int | None = Field(description="null when no answer came")
    error: str | None = None
    duration_ms: int


class Delivery(Model):
    """The delivery of one alert to one subscriber, with every attempt."""

    id: Identifier
    alert_id: Identifier
    subscription_id: Identifier
    owner_id: Identifier
    state: DeliveryState
    attempts: list[Attempt]
    due_at: UtcTime | None
    created_at: UtcTime
