"""A website on loopback, with the manners and the malice of real ones, and a log of requests."""

import contextlib
import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Resource:
    """What is served at a path."""

    body: bytes = b""
    content_type: str = "text/html; charset=utf-8"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    etag: bool = True
    seconds: float = 0
    """How long the answer takes."""
    cut: bool = False
    """The connection breaks before the body is whole."""
    failures: int = 0
    """How often it answers 503 before it answers as it should."""


@dataclass(frozen=True)
class Hit:
    """One request and its answer."""

    path: str
    status: int
    headers: dict[str, str]


class Website:
    """The resources by path; change them as you like while it is served."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.resources: dict[str, Resource] = {}
        self.hits: list[Hit] = []
        self.ended = threading.Event()

    def at(self, path: str) -> str:
        return self.address + path

    def page(self, path: str, html: str, **options: object) -> None:
        self.resources[path] = Resource(html.encode(), **options)  # type: ignore[arg-type]

    def image(self, path: str, data: bytes, **options: object) -> None:
        self.resources[path] = Resource(data, "image/jpeg", **options)  # type: ignore[arg-type]

    def take_hits(self) -> dict[str, list[int]]:
        """Return the statuses by path since the last time, robots.txt left out."""
        hits, self.hits = self.hits, []
        statuses: dict[str, list[int]] = {}
        for hit in hits:
            if hit.path != "/robots.txt":
                statuses.setdefault(hit.path, []).append(hit.status)
        return statuses


@contextmanager
def serving(host: str = "127.0.0.1") -> Iterator[Website]:
    """Serve a website for as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            _answer(self, site)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer((host, 0), Handler) as server:
        server.daemon_threads = True
        site = Website(f"http://{host}:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield site
        finally:
            site.ended.set()
            server.shutdown()


def _answer(request: BaseHTTPRequestHandler, site: Website) -> None:
    resource = site.resources.get(request.path, Resource(b"not here", status=404, etag=False))
    etag = f'"{hashlib.sha256(resource.body).hexdigest()[:16]}"'
    status, body = resource.status, resource.body
    if resource.failures:
        resource.failures -= 1
        status, body = 503, b""
    elif resource.etag and request.headers.get("If-None-Match") == etag:
        status, body = 304, b""
    site.hits.append(Hit(request.path, status, dict(request.headers)))
    if resource.seconds:
        deadline = time.monotonic() + resource.seconds
        site.ended.wait(max(0, deadline - time.monotonic()))
    request.send_response(status)
    if resource.etag:
        request.send_header("ETag", etag)
    if status != 304:
        request.send_header("Content-Type", resource.content_type)
        request.send_header("Content-Length", str(len(body)))
    for name, value in resource.headers.items():
        request.send_header(name, value)
    if resource.cut:
        request.send_header("Connection", "close")
        body = body[: len(body) // 2]
        request.close_connection = True
    request.end_headers()
    with contextlib.suppress(OSError):  # the crawler hung up
        request.wfile.write(body)
