"""A web server on loopback with validators, 304, and an access log to assert on."""

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Resource:
    """What lies at a path."""

    body: bytes
    content_type: str
    modified: datetime

    @property
    def etag(self) -> str:
        """The body's strong validator."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:20]}"'

    def is_unchanged(self, etags: str | None, since: str | None) -> bool:
        """Return whether the client has it already (RFC 9110, 13.2.2: the ETag goes first)."""
        if etags is not None:
            known = {etag.strip().removeprefix("W/") for etag in etags.split(",")}
            return bool({self.etag, "*"} & known)
        if since is not None:
            try:
                return self.modified <= parsedate_to_datetime(since)
            except ValueError:
                return False
        return False


@dataclass(frozen=True)
class Access:
    """One line of the access log."""

    address: str
    status: int
    at: float
    """On the monotonic clock, when the answer was sent."""

    @property
    def path(self) -> str:
        """Where on its server."""
        return urlsplit(self.address).path


@dataclass
class AccessLog:
    """Who was answered what, by all the servers that share the log; tests wait on it."""

    entries: list[Access] = field(default_factory=list)
    _grown: threading.Condition = field(default_factory=threading.Condition)

    def add(self, access: Access) -> None:
        """Write a line."""
        with self._grown:
            self.entries.append(access)
            self._grown.notify_all()

    def since(self, start: int) -> list[Access]:
        """Return the lines from number ``start`` on."""
        with self._grown:
            return self.entries[start:]

    def wait_until(self, met: Callable[[list[Access]], bool], *, seconds: float) -> None:
        """Return as soon as the log meets a condition; raise `TimeoutError` when it does not."""
        with self._grown:
            if not self._grown.wait_for(lambda: met(self.entries), seconds):
                raise TimeoutError(f"the site's log did not get there within {seconds} s")

    def sent_at(self, address: str) -> float | None:
        """Return when an address was first answered with its bytes."""
        with self._grown:
            sent = (
                entry.at
                for entry in self.entries
                if entry.address == address and entry.status == HTTPStatus.OK
            )
            return next(sent, None)


class WebServer:
    """A web server whose content may change while it runs."""

    def __init__(self, log: AccessLog) -> None:
        self.log = log
        self._resources: dict[str, Resource] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True

    def address(self, path: str = "/") -> str:
        """Return the address of a path."""
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    def put(self, path: str, resource: Resource) -> None:
        """Place a resource, or change the one that is there."""
        self._resources[path] = resource

    def get(self, path: str) -> Resource | None:
        """Return what lies at a path."""
        return self._resources.get(path)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve for as long as the block lasts."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()


def _handler(server: WebServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):  # the client was killed, or has enough
                super().handle()

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            resource = server.get(path)
            status = self._status(resource)
            body = resource.body if resource and status == HTTPStatus.OK else b""
            self.send_response(status)
            if resource is not None:
                self.send_header("ETag", resource.etag)
                self.send_header("Last-Modified", format_datetime(resource.modified, usegmt=True))
                self.send_header("Content-Type", resource.content_type)
            if status != HTTPStatus.NOT_MODIFIED:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            server.log.add(Access(server.address(path), status, time.monotonic()))

        def _status(self, resource: Resource | None) -> HTTPStatus:
            if resource is None:
                return HTTPStatus.NOT_FOUND
            validators = (self.headers["If-None-Match"], self.headers["If-Modified-Since"])
            return HTTPStatus.NOT_MODIFIED if resource.is_unchanged(*validators) else HTTPStatus.OK

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Stay silent: the log is for asserting on, not for the terminal."""

    return Handler


def days_ago(days: float) -> datetime:
    """Return a moment in the past, to the second as HTTP dates are."""
    return datetime.now(UTC).replace(microsecond=0) - timedelta(days=days)
