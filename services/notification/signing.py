"""Secrets of subscriptions, and what they sign (Standard Webhooks, symmetric signatures)."""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from standardwebhooks import Webhook

_SECRET_BYTES = 32
_MOST_SECRETS = 5


@dataclass(frozen=True)
class SigningSecret:
    """A subscription's secret; it is never shown by ``repr``, so never logged."""

    value: str = field(repr=False)
    ends_at: datetime | None = None
    """When it signs no more; None for the one in force."""


def new_secret() -> SigningSecret:
    """Return a new secret, as receivers' libraries take it."""
    raw = secrets.token_bytes(_SECRET_BYTES)
    return SigningSecret("whsec_" + base64.b64encode(raw).decode())


def rotated(
    known: Sequence[SigningSecret], new: SigningSecret, *, now: datetime, overlap: timedelta
) -> tuple[SigningSecret, ...]:
    """Return a subscription's secrets, newest first, after ``new`` came into force.

    The ones before sign beside it for a while, so that a receiver can change over at its leisure;
    their number is bounded, or a header could grow beyond what receivers take.
    """
    before = (
        SigningSecret(secret.value, secret.ends_at or now + overlap)
        for secret in still_signing(known, now)
    )
    return (new, *before)[:_MOST_SECRETS]


def still_signing(known: Sequence[SigningSecret], now: datetime) -> list[SigningSecret]:
    """Return the secrets that have not ended."""
    return [secret for secret in known if secret.ends_at is None or secret.ends_at > now]


def signed_headers(
    webhook_id: str, body: str, known: Sequence[SigningSecret], *, now: datetime
) -> dict[str, str]:
    """Return the three headers by which a receiver knows that a webhook is ours and is fresh."""
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(
            Webhook(secret.value).sign(webhook_id, now, body)
            for secret in still_signing(known, now)
        ),
    }
