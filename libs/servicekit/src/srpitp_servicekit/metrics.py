"""Metrics for Prometheus, at ``/metrics``.

Each app has a registry of its own: five of them may be in one process.
"""

import inspect
import logging
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["CONTENT_TYPE_LATEST", "Counter", "Histogram", "Metrics", "RequestMetrics"]

logger = logging.getLogger(__name__)

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

Read = Callable[[], float | Awaitable[float]]


class Metrics:
    """What one app counts and measures."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._read: list[tuple[Gauge, Read]] = []

    def counter(self, name: str, documentation: str, labels: Sequence[str] = ()) -> Counter:
        """Make a counter."""
        return Counter(name, documentation, labels, registry=self._registry)

    def histogram(
        self,
        name: str,
        documentation: str,
        labels: Sequence[str] = (),
        *,
        buckets: Sequence[float] = SECONDS,
    ) -> Histogram:
        """Make a histogram; of seconds, unless the buckets say otherwise."""
        return Histogram(name, documentation, labels, buckets=buckets, registry=self._registry)

    def gauge(self, name: str, documentation: str, read: Read) -> None:
        """Add a value that is read, from the store perhaps, whenever someone asks."""
        self._read.append((Gauge(name, documentation, registry=self._registry), read))

    async def exposed(self) -> bytes:
        """Return all values in Prometheus' text format; NaN is what could not be read."""
        for gauge, read in self._read:
            try:
                value = read()
                gauge.set(await value if inspect.isawaitable(value) else value)
            except Exception:  # one value that is away does not take the others with it
                logger.warning("a metric could not be read", exc_info=True)
                gauge.set(math.nan)
        return generate_latest(self._registry)


class RequestMetrics:
    """Measures the requests of an app, by route: addresses with ids in them would be endless."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._seconds = metrics.histogram(
            "srpitp_request_seconds", "Requests that were answered", ("method", "route", "status")
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and note how long its answer took."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began = 500, time.perf_counter()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            route: Any = scope.get("route")
            labels = (scope["method"], getattr(route, "path", "none"), str(status))
            self._seconds.labels(*labels).observe(time.perf_counter() - began)
