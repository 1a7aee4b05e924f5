"""Delivering alerts to subscribers (Standard Webhooks): signed, retried, one subscriber at a time.

One subscriber that hangs must not hold up the others, so each has at most one request under way,
and requests to different subscribers run side by side. One dispatcher claims the due deliveries:
it alone knows who is busy, so there is no race for a subscriber, and an idle service asks the
store once a second, however many requests it could make at once.
"""

import asyncio
import contextlib
import logging
import random
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import Enum, auto

import httpx
from asgi_correlation_id import correlation_id

from services.notification.settings import Settings
from services.notification.signing import SigningSecret, signed_headers
from services.notification.store import Claimed, NotificationStore
from srpitp_contracts.alerting import Alert, Attempt, DeliveryState, WebhookEvent
from srpitp_contracts.model import utc_now
from srpitp_servicekit.background import Loop
from srpitp_servicekit.problems import ProblemError

logger = logging.getLogger(__name__)

_JITTER = 0.1
_SNIPPET_BYTES = 1024
_SNIPPET_CHARACTERS = 200
_SNIPPET_SECONDS = 1
_GONE_REASON = "The subscriber answered 410 Gone."


class Outcome(Enum):
    """What an attempt came to."""

    DELIVERED = auto()
    FAILED = auto()
    GONE = auto()


@dataclass(frozen=True)
class Answer:
    """What a subscriber said; no status when it said nothing."""

    status: int | None = None
    error: str | None = None
    retry_after: timedelta | None = None

    @property
    def outcome(self) -> Outcome:
        """Only 2xx is success, and 410 asks us to come no more; a redirect is a failure."""
        if self.status is not None and httpx.codes.is_success(self.status):
            return Outcome.DELIVERED
        return Outcome.GONE if self.status == httpx.codes.GONE else Outcome.FAILED


class Deliverer:
    """Makes the deliveries that are due, for as long as it runs.

    Parameters
    ----------
    store
        Where they wait.
    client
        A guarded client: the subscribers' addresses are not ours.
    settings
        The schedule and the limits.
    """

    def __init__(
        self, store: NotificationStore, client: httpx.AsyncClient, settings: Settings
    ) -> None:
        self._store = store
        self._client = client
        self._settings = settings
        self._loop = Loop("deliveries", self._start_one)
        self._under_way: dict[str, asyncio.Task[None]] = {}

    def wake(self) -> None:
        """Deliver now what was added."""
        self._loop.wake()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliver in the background for as long as the block lasts.

        A request that is under way at the end is cut off; it is made again when its lease ends.
        """
        try:
            async with self._loop.running():
                yield
        finally:
            tasks = list(self._under_way.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _start_one(self) -> bool:
        if len(self._under_way) >= self._settings.deliveries_at_once:
            await asyncio.wait(self._under_way.values(), return_when=asyncio.FIRST_COMPLETED)
        claimed = await self._store.claim(busy=self._under_way.keys())
        if claimed is None:
            return False
        subscription_id = claimed.delivery.subscription_id
        task = asyncio.create_task(self._deliver(claimed))
        self._under_way[subscription_id] = task
        task.add_done_callback(lambda _: self._end_one(subscription_id))
        return True

    def _end_one(self, subscription_id: str) -> None:
        del self._under_way[subscription_id]
        self.wake()

    async def _deliver(self, claimed: Claimed) -> None:
        correlation_id.set(claimed.request_id)
        try:
            async with self._store.holding(claimed):
                await self._attempt(claimed)
        except Exception:  # such as a store that is away: the lease ends and it is tried again
            logger.exception("delivery %s is tried again", claimed.delivery.id)

    async def _attempt(self, claimed: Claimed) -> None:
        delivery = claimed.delivery
        alert = await self._store.alert(delivery.alert_id)
        subscription = await self._store.subscription(delivery.subscription_id)
        if alert is None or subscription is None or subscription.disabled_at:
            await self._store.end(claimed, DeliveryState.ABANDONED)
            return
        secrets = await self._store.secrets(subscription.id)
        at, started = utc_now(), time.monotonic()
        answer = await self._send(subscription.address, alert, secrets)
        attempt = Attempt(
            at=at,
            status=answer.status,
            error=answer.error,
            duration_ms=int((time.monotonic() - started) * 1000),
        )
        logger.info("delivery %s: %s", delivery.id, answer.status or answer.error)
        await self._note(claimed, attempt, answer)

    async def _note(self, claimed: Claimed, attempt: Attempt, answer: Answer) -> None:
        schedule = self._settings.delivery_schedule_seconds
        if answer.outcome is Outcome.DELIVERED:
            await self._store.end(claimed, DeliveryState.DELIVERED, attempt)
        elif answer.outcome is Outcome.GONE:
            await self._store.disable_subscription(claimed, attempt, _GONE_REASON)
        elif claimed.failures + 1 >= len(schedule):
            await self._store.end(claimed, DeliveryState.ABANDONED, attempt)
        else:
            longest = timedelta(seconds=self._settings.longest_retry_after_seconds)
            asked = min(answer.retry_after or timedelta(), longest)
            delay = max(asked, jittered(schedule[claimed.failures + 1]))
            await self._store.retry(claimed, attempt, delay)
            if asked:
                # It asked to be left alone, so the other alerts for it wait as well.
                await self._store.put_off(claimed.delivery.subscription_id, utc_now() + asked)

    async def _send(self, address: str, alert: Alert, secrets: Sequence[SigningSecret]) -> Answer:
        body = webhook_body(alert)
        headers = signed_headers(alert.id, body, secrets, now=utc_now())
        headers["Content-Type"] = "application/json"
        seconds = self._settings.delivery_timeout_seconds
        try:
            request = self._client.build_request("POST", address, content=body, headers=headers)
            async with asyncio.timeout(seconds):
                response = await self._client.send(request, stream=True)
        except TimeoutError:
            return Answer(error=f"no answer within {seconds:g} s")
        except ProblemError as error:
            return Answer(error=error.detail)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Answer(error=f"{type(error).__name__}: {error}"[:_SNIPPET_CHARACTERS])
        try:
            return await _answer(response)
        finally:
            await response.aclose()


def webhook_body(alert: Alert) -> str:
    """Return the body of an alert's webhook; the same for every attempt."""
    event = WebhookEvent(type=alert.type, timestamp=alert.created_at, data=alert.match)
    return event.model_dump_json()


def jittered(seconds: float) -> timedelta:
    """Return about this long, so that what failed together is not tried again together."""
    share = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311  (jitter, not a secret)
    return timedelta(seconds=seconds * share)


def retry_after(header: str | None, now: datetime) -> timedelta | None:
    """Return how long a ``Retry-After`` header asks us to wait: seconds, or until a date."""
    if header is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", header.strip()):
        return timedelta(seconds=int(header))
    try:
        until = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(until.replace(tzinfo=until.tzinfo or UTC) - now, timedelta())


async def _answer(response: httpx.Response) -> Answer:
    status = response.status_code
    if response.is_success:
        return Answer(status)
    error = f"answered {status}"
    if response.is_redirect:
        error += "; redirects are not followed"
    if snippet := await _snippet(response):
        error += f": {snippet}"
    return Answer(status, error, retry_after(response.headers.get("Retry-After"), utc_now()))


async def _snippet(response: httpx.Response) -> str:
    """Return the beginning of a body, on one line; whatever came, if the rest does not come."""
    start = bytearray()
    with contextlib.suppress(httpx.HTTPError, TimeoutError):
        async with asyncio.timeout(_SNIPPET_SECONDS):
            async for chunk in response.aiter_raw():
                start += chunk[:_SNIPPET_BYTES]
                if len(start) >= _SNIPPET_BYTES:
                    break
    text = " ".join(start.decode(errors="replace").split())
    return "".join(filter(str.isprintable, text))[:_SNIPPET_CHARACTERS]
