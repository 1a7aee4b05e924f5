"""A whole SRPITP on this machine, started as a person starts it: ``srpitp up``."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

_SECONDS = 60


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of a SRPITP that runs, and may crawl this machine."""
    folder = tmp_path_factory.mktemp("srpitp") / "data"
    port = _free_port()
    ours = {name: value for name, value in os.environ.items() if not name.startswith("SRPITP_")}
    log = folder.with_name("log")
    with log.open("w") as output:
        process = subprocess.Popen(  # noqa: S603
            [
                Path(sys.executable).with_name("srpitp"),
                "up",
                f"--data-dir={folder}",
                f"--port={port}",
            ],
            # Only what is exact is confirmed by rule, so that there is something to review.
            env=ours | {"SRPITP_EGRESS_ALLOW": '["127.0.0.0/8"]', "SRPITP_ALARM_BUDGET": "1e-30"},
            stdout=output,
            stderr=output,
        )
    try:
        _wait_until_ready(f"http://127.0.0.1:{port}", process, log)
        assert "keys/admin" in log.read_text()
        yield folder
    finally:
        process.terminate()
        assert process.wait(_SECONDS) == 0, log.read_text()


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(f"{url}/health/ready").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail(f"not ready within {_SECONDS} s: {log.read_text()}")
