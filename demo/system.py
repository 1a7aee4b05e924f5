"""The system under demonstration: MongoDB, and the services as one process or as five."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from srpitp_contracts.names import ServiceName
from srpitp_servicekit.auth import new_secret
from srpitp_servicekit.embedded import free_port, running_mongod

_START_SECONDS = 60
_STOP_SECONDS = 20
_TAIL_LINES = 25
_ONEBOX = "onebox"


class SystemFailedError(RuntimeError):
    """A process did not start or ended by itself; the message holds the end of its log."""


class System:
    """The services as processes; each may be killed and started again.

    Parameters
    ----------
    folder
        For the data and the logs.
    separate
        Five processes instead of one.
    settings
        Environment variables beside those that are needed to run at all.
    check
        Called while waiting; raises when all is to end.
    """

    def __init__(
        self,
        folder: Path,
        *,
        separate: bool = False,
        settings: Mapping[str, str] | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.folder = folder
        self._also_check = check
        self.admin_key = new_secret()
        self.mongodb_uri = ""
        self._modules: dict[str, list[str]]
        if separate:
            self.urls = {name: f"http://127.0.0.1:{free_port()}" for name in ServiceName}
            self._modules = {name: [f"services.{name}.main"] for name in ServiceName}
            self._health = {str(name): url for name, url in self.urls.items()}
        else:
            port = free_port()
            url = f"http://127.0.0.1:{port}"
            self.urls = {name: f"{url}/{name}" for name in ServiceName}
            options = [f"--data-dir={folder / 'data'}", f"--port={port}"]
            self._modules = {_ONEBOX: ["services.onebox", *options]}
            self._health = {_ONEBOX: url}
        self._settings = {
            "SRPITP_ADMIN_KEY": self.admin_key,
            "SRPITP_SERVICE_KEY": new_secret(),
            "SRPITP_DATA_DIR": str(folder / "data"),
            "SRPITP_EGRESS_ALLOW": '["127.0.0.0/8"]',
            **{f"SRPITP_{name.upper()}_URL": url for name, url in self.urls.items()},
            **(settings or {}),
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run everything for as long as the block lasts; end it in any case."""
        with running_mongod(self.folder / "mongod") as self.mongodb_uri:
            try:
                for name in self._modules:
                    self._start(name)
                for name in self._modules:
                    self._wait_until_ready(name)
                yield
            finally:
                self._stop()

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the processes: ours, without settings that are not the demo's."""
        inherited = {key: value for key, value in os.environ.items() if key[:7] != "SRPITP_"}
        return {**inherited, **self._settings, "SRPITP_MONGODB_URI": self.mongodb_uri}

    def kill(self, name: str) -> None:
        """Kill a process at once (SIGKILL), as a power cut would."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def restart(self, name: str) -> None:
        """Start a killed process again and wait until it takes requests."""
        self._start(name)
        self._wait_until_ready(name)

    def check(self) -> None:
        """Raise `SystemFailedError` when a process ended by itself, or what was given raises."""
        self._also_check()
        for name, process in list(self._processes.items()):
            if process.poll() is not None:
                raise SystemFailedError(
                    f"{name} ended with status {process.returncode}:\n{self.log_tail(name)}"
                )

    def log_tail(self, name: str) -> str:
        """Return the last lines that a process logged."""
        lines = self._log(name).read_text(errors="replace").splitlines()
        return "\n".join(lines[-_TAIL_LINES:])

    def log_tails(self) -> str:
        """Return the last lines of every process's log."""
        return "\n".join(f"--- {name}\n{self.log_tail(name)}" for name in self._processes)

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _start(self, name: str) -> None:
        with self._log(name).open("ab") as log:
            # A session of its own: Ctrl-C ends us, and we end it.
            self._processes[name] = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", *self._modules[name]],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _wait_until_ready(self, name: str) -> None:
        deadline = time.monotonic() + _START_SECONDS
        address = f"{self._health[name]}/health/ready"
        with httpx.Client(trust_env=False) as client:
            while time.monotonic() < deadline:
                self.check()
                with contextlib.suppress(httpx.TransportError):
                    if client.get(address).is_success:
                        return
                time.sleep(0.05)
        raise SystemFailedError(
            f"{name} was not ready within {_START_SECONDS} s:\n{self.log_tail(name)}"
        )

    def _stop(self) -> None:
        for process in self._processes.values():
            process.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for process in self._processes.values():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
