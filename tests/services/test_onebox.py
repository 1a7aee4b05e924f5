"""Everything on one machine, as a process of its own: started, ended, killed, started again."""

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from srpitp_contracts.names import ServiceName

_SECONDS = 60
_KEYS = ("SRPITP_ADMIN_KEY", "SRPITP_SERVICE_KEY", "SRPITP_MONGODB_URI")


class Onebox:
    """One run on a folder."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen(  # noqa: S603
            [
                sys.executable,
                "-m",
                "services.onebox",
                f"--data-dir={folder}",
                *(arguments or ("--port=0",)),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={name: value for name, value in os.environ.items() if name not in _KEYS}
            | {"SRPITP_LOG_LEVEL": "ERROR"}
            | environment,
        )

    @property
    def url(self) -> str:
        return (self.folder / "url").read_text()

    @property
    def admin(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {(self.folder / 'keys' / 'admin').read_text()}"}

    def wait_until_ready(self) -> None:
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        assert said == f"srpitp is ready on {self.url}\n", self.failure()
        wait_for(lambda: _answers(f"{self.url}/health/ready"))

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        _, self.log = self.process.communicate(timeout=_SECONDS)
        return self.process.returncode

    def failure(self) -> str:
        """Return what a run that ends by itself says."""
        _, said = self.process.communicate(timeout=_SECONDS)
        return said


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def mongod_pids(folder: Path) -> list[int]:
    wanted = f"--dbpath={folder / 'mongodb'}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if wanted in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:  # it ended meanwhile
            continue
    return found


@contextmanager
def running(folder: Path, *arguments: str, **environment: str) -> Iterator[Onebox]:
    onebox = Onebox(folder, *arguments, **environment)
    try:
        onebox.wait_until_ready()
        yield onebox
    finally:
        if onebox.process.poll() is None:
            onebox.end()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Onebox]:
    with running(tmp_path_factory.mktemp("onebox") / "data") as onebox:
        yield onebox


def test_all_five_answer_on_one_port(shared: Onebox) -> None:
    index = httpx.get(shared.url).json()
    assert set(index) == set(ServiceName)
    for service in index.values():
        assert httpx.get(service["docs"]).is_success
    for name in ServiceName:
        assert httpx.get(f"{shared.url}/{name}/health/ready").is_success
        document = httpx.get(f"{shared.url}/{name}/openapi.json").json()
        assert document["servers"] == [{"url": f"/{name}"}]


def test_what_is_not_there_is_a_problem(shared: Onebox) -> None:
    answer = httpx.get(f"{shared.url}/nothing")
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


def test_only_this_user_reads_the_keys(shared: Onebox) -> None:
    for name in ("admin", "service"):
        assert stat.S_IMODE((shared.folder / "keys" / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(shared.folder.stat().st_mode) == 0o700


def test_a_second_one_on_the_same_folder_is_refused(shared: Onebox) -> None:
    second = Onebox(shared.folder)
    assert second.failure() == (
        f"srpitp: the database in {shared.folder} is in use by process {shared.process.pid}\n"
    )
    assert second.process.returncode == 1
    assert _answers(f"{shared.url}/health/ready")


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        onebox = Onebox(tmp_path, f"--port={port}")
        assert onebox.failure() == (
            f"srpitp: cannot listen on 127.0.0.1:{port}: Address already in use; "
            "choose another with --port\n"
        )
    assert onebox.process.returncode == 1


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    onebox = Onebox(tmp_path / "file" / "data")
    assert onebox.failure().splitlines() == [
        f"srpitp: cannot use {tmp_path / 'file' / 'data'}: Not a directory"
    ]
    assert onebox.process.returncode == 1


def test_a_database_that_does_not_start_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "mongodb").mkdir()
    (tmp_path / "mongodb" / "WiredTiger.wt").write_text("no database")
    (tmp_path / "mongodb" / "storage.bson").write_text("no settings")
    onebox = Onebox(tmp_path)
    said = onebox.failure()
    assert said.startswith("srpitp: mongod ended with status ")
    assert said.count("\n") == 1
    assert onebox.process.returncode == 1


@pytest.mark.parametrize(
    ("value", "said"),
    [("no json", "egress_allow"), ('["no network"]', "SRPITP_EGRESS_ALLOW")],
)
def test_a_wrong_setting_is_one_line(
    tmp_path: Path, mongodb_uri: str, value: str, said: str
) -> None:
    onebox = Onebox(tmp_path, SRPITP_MONGODB_URI=mongodb_uri, SRPITP_EGRESS_ALLOW=value)
    assert said in onebox.failure()
    assert onebox.process.returncode == 1


def test_given_keys_and_a_given_database_are_used(
    environment: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "onebox"
    with running(folder, **environment) as onebox:
        key = {"Authorization": f"Bearer {environment['SRPITP_ADMIN_KEY']}"}
        assert httpx.get(f"{onebox.url}/registration/v1/owners", headers=key).is_success
        assert not (folder / "keys").exists()
        assert not (folder / "mongodb").exists()


def test_data_survive_however_it_ends(tmp_path: Path) -> None:
    with running(tmp_path) as onebox:
        owners = f"{onebox.url}/registration/v1/owners"
        made = httpx.post(owners, headers=onebox.admin, json={"name": "Studio"}).json()
        assert onebox.end(signal.SIGTERM) == 0
        assert onebox.log == ""
        assert mongod_pids(tmp_path) == []
    with running(tmp_path) as onebox:
        assert owner(onebox, made["id"]) == made
        onebox.end(signal.SIGKILL)
        assert len(mongod_pids(tmp_path)) == 1  # left behind
    with running(tmp_path) as onebox:
        assert owner(onebox, made["id"]) == made
        assert len(mongod_pids(tmp_path)) == 1
        assert onebox.end(signal.SIGINT) == 0
        assert mongod_pids(tmp_path) == []


def owner(onebox: Onebox, owner_id: str) -> Any:
    address = f"{onebox.url}/registration/v1/owners/{owner_id}"
    return httpx.get(address, headers=onebox.admin).json()
