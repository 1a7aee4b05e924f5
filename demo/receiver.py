"""The owner's webhook: checks each signature (Standard Webhooks) and counts what comes twice."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

from srpitp_contracts.alerting import WebhookEvent
from srpitp_contracts.events import EventType


@dataclass(frozen=True)
class Arrival:
    """A webhook that arrived."""

    webhook_id: str
    event: WebhookEvent
    at: float
    """On the monotonic clock."""


class Receiver:
    """A subscriber that treats a webhook it has seen before as told already."""

    def __init__(self) -> None:
        self.receptions: list[Arrival] = []
        self.refused = 0
        self._changed = threading.Condition()
        self._open = threading.Event()
        self._open.set()
        self._held = 0
        self._webhook: Webhook | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True

    @property
    def address(self) -> str:
        """Where the webhooks go."""
        return f"http://127.0.0.1:{self._server.server_port}/alerts"

    def trust(self, secret: str) -> None:
        """Accept what is signed with this secret; before, everything is asked to come again."""
        self._webhook = Webhook(secret)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Listen for as long as the block lasts."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._open.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Take webhooks in, but answer none for as long as the block lasts."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    @property
    def alerts(self) -> list[Arrival]:
        """What arrived of matches, each id once, in the order of arrival."""
        first = dict[str, Arrival]()
        for arrival in list(self.receptions):
            if arrival.event.type is EventType.MATCH_CONFIRMED:
                first.setdefault(arrival.webhook_id, arrival)
        return list(first.values())

    @property
    def repeats(self) -> int:
        """How many webhooks came again."""
        receptions = list(self.receptions)
        return len(receptions) - len({item.webhook_id for item in receptions})

    def wait_until(self, met: Callable[["Receiver"], bool], *, seconds: float) -> None:
        """Return as soon as a condition is met; raise `TimeoutError` when it is not."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not met(self):
                if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError(f"the webhooks did not come within {seconds} s")

    @property
    def held(self) -> int:
        """How many webhooks wait for our answer."""
        return self._held

    def take(self, body: bytes, headers: dict[str, str]) -> HTTPStatus:
        """Note a webhook and return the answer."""
        at = time.monotonic()
        if self._webhook is None:
            return HTTPStatus.SERVICE_UNAVAILABLE
        try:
            self._webhook.verify(body, headers)
        except WebhookVerificationError:
            self.refused += 1
            return HTTPStatus.UNAUTHORIZED
        with self._changed:
            self.receptions.append(
                Arrival(headers["webhook-id"], WebhookEvent.model_validate_json(body), at)
            )
            self._held += 1
            self._changed.notify_all()
        self._open.wait()
        with self._changed:
            self._held -= 1
        return HTTPStatus.NO_CONTENT


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):  # the client was killed, or has enough
                super().handle()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(receiver.take(body, headers))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Stay silent."""

    return Handler
