"""An API server in miniature: the paths of SparkApplications, with what can go wrong on them.

A real HTTP server on loopback, for the real client. It takes what the operator's schema and
webhook take, keeps a history for watches, and forgets it when told to.
"""

import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pydantic import ValidationError

from tests.services.matcher.runs.spark_application import SparkApplication, denied_by_webhook

_BASE = "/apis/sparkoperator.k8s.io/v1beta2/namespaces/srpitp/sparkapplications"
_PATIENCE_SECONDS = 20

Item = dict[str, Any]


class ApiServer:
    """The applications of one namespace; tests play the operator."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.items: dict[str, Item] = {}
        self.requests: list[str] = []
        self.faults: dict[str, deque[int]] = {}
        self.version = 1
        self.oldest = 0
        self.history: list[tuple[int, str, Item]] = []
        self.watches = 0
        self.era = 0
        """Raised to drop all watches."""
        self.ended = False

    def fail_next(self, verb: str, *statuses: int) -> None:
        """Answer the next requests of a verb with a status; 0 answers nothing at all."""
        with self.changed:
            self.faults[verb] = deque(statuses)

    def fault(self, verb: str) -> int | None:
        with self.changed:
            self.requests.append(verb)
            waiting = self.faults.get(verb)
            return waiting.popleft() if waiting else None

    def say(self, name: str, state: str, message: str = "") -> None:
        """Set an application's state, as the operator does."""
        with self.changed:
            status = {"applicationState": {"state": state, "errorMessage": message}}
            self.note("MODIFIED", {**self.items[name], "status": status})

    def forget(self) -> None:
        """Forget the history: whoever watches from an old version is told 410."""
        with self.changed:
            self.version += 1
            self.oldest = self.version
            self.history.clear()
            self.drop_watches()

    def drop_watches(self) -> None:
        with self.changed:
            self.era += 1
            self.changed.notify_all()

    def note(self, kind: str, item: Item) -> None:
        with self.changed:
            self.version += 1
            item = {**item, "metadata": {**item["metadata"], "resourceVersion": str(self.version)}}
            if kind == "DELETED":
                self.items.pop(item["metadata"]["name"], None)
            else:
                self.items[item["metadata"]["name"]] = item
            self.history.append((self.version, kind, item))
            self.changed.notify_all()

    def since(self, version: int) -> list[tuple[int, str, Item]]:
        return [event for event in self.history if event[0] > version]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_POST(self) -> None:
        item = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self._fails("create"):
            return
        api = self.server.api
        try:
            SparkApplication.model_validate(item)
        except ValidationError as error:
            self._problem(422, f"SparkApplication is invalid: {error.errors()[0]['loc']}")
            return
        if denied := denied_by_webhook(item):
            self._problem(403, f"admission webhook denied the request: {denied}")
        elif item["metadata"]["name"] in api.items:
            self._problem(409, "already exists")
        else:
            api.note("ADDED", item)
            self._answer(201, api.items[item["metadata"]["name"]])

    def do_DELETE(self) -> None:
        if self._fails("delete"):
            return
        if item := self.server.api.items.get(self._name):
            self.server.api.note("DELETED", item)
            self._answer(200, {"kind": "Status", "status": "Success"})
        else:
            self._problem(404, "not found")

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        if self._name:
            self._get()
        elif query.get("watch") in (["true"], ["True"]):
            if not self._fails("watch"):
                self._watch(int(query["resourceVersion"][0]))
        elif not self._fails("list"):
            api = self.server.api
            with api.changed:
                self._answer(
                    200,
                    {
                        "items": list(api.items.values()),
                        "metadata": {"resourceVersion": str(api.version)},
                    },
                )

    def _get(self) -> None:
        if self._fails("get"):
            return
        if item := self.server.api.items.get(self._name):
            self._answer(200, item)
        else:
            self._problem(404, "not found")

    def _watch(self, version: int) -> None:
        api = self.server.api
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with api.changed:
            if version < api.oldest:
                gone = {"code": 410, "reason": "Expired", "message": "too old resource version"}
                self._event("ERROR", {"kind": "Status", **gone})
                self.close_connection = True
                return
            era, api.watches = api.era, api.watches + 1
            api.changed.notify_all()
            try:
                while api.era == era and not api.ended:
                    for number, kind, item in api.since(version):
                        self._event(kind, item)
                        version = number
                    api.changed.wait(0.2)
            finally:
                api.watches -= 1
                self.close_connection = True  # without the last chunk: the connection broke

    def _event(self, kind: str, item: Item) -> None:
        line = json.dumps({"type": kind, "object": item}).encode() + b"\n"
        self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        self.wfile.flush()

    @property
    def _name(self) -> str:
        path = urlsplit(self.path).path
        assert path.startswith(_BASE), path
        return path.removeprefix(_BASE).removeprefix("/")

    def _fails(self, verb: str) -> bool:
        status = self.server.api.fault(verb)
        if status == 0:
            with self.server.api.changed:
                self.server.api.changed.wait_for(lambda: self.server.api.ended, _PATIENCE_SECONDS)
            self.close_connection = True
        elif status is not None:
            self._problem(status, "as the test wants it")
        return status is not None

    def _problem(self, status: int, message: str) -> None:
        self._answer(status, {"kind": "Status", "code": status, "message": message})

    def _answer(self, status: int, body: Item) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    api: ApiServer

    def handle_error(self, *args: Any) -> None:
        pass  # a client that went away


@contextmanager
def api_server(kubeconfig: Path) -> Iterator[ApiServer]:
    """Serve for as long as the block lasts, and write down how it is reached."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.api = ApiServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    kubeconfig.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "test", "cluster": {"server": address}}],
                "users": [{"name": "test", "user": {"token": "t"}}],
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
                "current-context": "test",
            }
        )
    )
    try:
        yield server.api
    finally:
        with server.api.changed:
            server.api.ended = True
            server.api.changed.notify_all()
        server.shutdown()
        thread.join()
        server.server_close()
