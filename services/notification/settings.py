"""Settings of the notification service."""

from typing import Annotated

from pydantic import Field

from srpitp_servicekit.settings import ServiceSettings

_MINUTE, _HOUR = 60.0, 3600.0


class Settings(ServiceSettings):
    """What can be set, besides what every service shares."""

    delivery_schedule_seconds: Annotated[tuple[float, ...], Field(min_length=1)] = Field(
        default=(
            0,
            5,
            5 * _MINUTE,
            30 * _MINUTE,
            2 * _HOUR,
            5 * _HOUR,
            10 * _HOUR,
            14 * _HOUR,
            20 * _HOUR,
            24 * _HOUR,
        ),
        description="how long to wait before each attempt (Standard Webhooks), as a JSON list",
    )
    delivery_timeout_seconds: float = Field(
        default=15, gt=0, description="how long a subscriber may take to answer"
    )
    delivery_lease_seconds: float = Field(
        default=10,
        gt=0,
        description="after this long another process takes up the work of one that was killed",
    )
    deliveries_at_once: int = Field(
        default=64, ge=1, description="requests under way, each to a subscriber of its own"
    )
    longest_retry_after_seconds: float = Field(
        default=24 * _HOUR, ge=0, description="a longer Retry-After of a subscriber is cut to this"
    )
    secret_overlap_seconds: float = Field(
        default=24 * _HOUR, ge=0, description="how long a replaced secret still signs, too"
    )
    subscriptions_per_owner: int = Field(default=50, ge=1)
