import importlib.metadata
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pymongo import MongoClient

from srpitp_servicekit import embedded
from srpitp_servicekit.embedded import EmbeddedMongoError, free_port, running_mongod

SECOND_USER = """
import pathlib, sys
from srpitp_servicekit.embedded import EmbeddedMongoError, running_mongod
try:
    with running_mongod(pathlib.Path(sys.argv[1])):
        pass
except EmbeddedMongoError as error:
    print(error)
"""


def test_data_survives_a_restart_on_another_port(tmp_path: Path) -> None:
    with running_mongod(tmp_path) as uri, MongoClient[dict[str, object]](uri) as client:
        client.test.things.insert_one({"_id": 1})
    with running_mongod(tmp_path, port=free_port()) as other:
        assert other != uri
        with (
            MongoClient[dict[str, object]](other) as client,
            client.start_session() as session,
            session.start_transaction(),
        ):
            client.test.things.insert_one({"_id": 2}, session=session)
            assert client.test.things.count_documents({}, session=session) == 2


def test_more_files_than_a_user_may_open_by_default(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        with running_mongod(tmp_path) as uri, MongoClient[dict[str, object]](uri) as client:
            for number in range(200):  # two files each
                client.test.create_collection(f"c{number}")
            assert len(client.test.list_collection_names()) == 200
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_folder_is_used_by_one_at_a_time(tmp_path: Path) -> None:
    with running_mongod(tmp_path):
        command = [sys.executable, "-c", SECOND_USER, str(tmp_path)]
        second = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    assert "is in use by process" in second.stdout


def test_port_that_is_taken_is_a_clear_error(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(EmbeddedMongoError, match=r"its log is .*mongodb\.log"),
            running_mongod(tmp_path, port=port),
        ):
            pass


def test_machine_without_a_mongod_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(embedded, "distribution", missing)
    with (
        pytest.raises(EmbeddedMongoError, match="SRPITP_MONGODB_URI"),
        running_mongod(tmp_path),
    ):
        pass
