"""The live path: how soon the matcher has loaded all protected images, and how soon it tells.

``load``: time to load the index from MongoDB, resident memory of the matcher's process, and how
soon a registration counts. ``alerts``: from the last byte that a site sent of an image to the
webhook's arrival, stage by stage, through all five services in one process.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from live_alerts import measure_alerts
from live_protected import TAG_SETS, fill, protected_document
from pymongo import MongoClient

from srpitp_contracts.names import Collection
from srpitp_servicekit.embedded import free_port, running_mongod

_KEY = "srpitp_bench-key"
_READY_SECONDS = 120
_REGISTRATIONS = 20


def measure_load(folder: Path, *, views: int) -> None:
    """Fill a database, start the matcher alone, and see."""
    with running_mongod(folder) as uri, MongoClient[dict[str, Any]](uri) as client:
        with _matcher(uri, folder) as (process, url):
            _wait_until_ready(url)
            _say_resident("nothing is protected", process)
        began = time.monotonic()
        images = fill(client["srpitp"], views // 6)
        took = time.monotonic() - began
        print(f"{images:,} images, {6 * images:,} views written in {took:.0f} s")
        with _matcher(uri, folder) as (process, url):
            started = time.monotonic()
            _wait_until_ready(url)
            print(f"ready {time.monotonic() - started:.1f} s after its first answer")
            print(f"processor time up to then: {_processor_seconds(process):.1f} s")
            _say_log(folder)
            _say_resident("the index is loaded", process)
            _time_registrations(client, url)
            _say_resident("these are registered too", process)


def _say_resident(when: str, process: int) -> None:
    """Say what a process holds: of its own, and of files, which others share."""
    total, own, files = (
        _resident_mb(process, f"{name}:") for name in ("VmRSS", "RssAnon", "RssFile")
    )
    print(f"resident when {when}: {total} MB, of which {own} MB its own, {files} MB of files")


def _time_registrations(client: MongoClient[dict[str, Any]], url: str) -> None:
    """Write images as registration does, and ask until they count, with no search beside."""
    protected = client["srpitp"][Collection.PROTECTED]
    random = np.random.default_rng(5)
    took = []
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {_KEY}"}) as http:
        for number in range(_REGISTRATIONS):
            before = http.get("/v1/thresholds").json()["protected_images"]
            document = protected_document(random, TAG_SETS[number % len(TAG_SETS)])
            document["updated_at"] = datetime.now(UTC)
            document["protected_from"] = document["updated_at"] - timedelta(seconds=1)
            protected.insert_one(document)
            began = time.monotonic()
            while http.get("/v1/thresholds").json()["protected_images"] == before:
                time.sleep(0.005)
            took.append(time.monotonic() - began)
    print(f"a registration counts after {_spread(took)}")


@contextmanager
def _matcher(uri: str, folder: Path) -> Iterator[tuple[int, str]]:
    port = free_port()
    environment = {
        **os.environ,
        "SRPITP_MONGODB_URI": uri,
        "SRPITP_DATA_DIR": str(folder / "data"),
        "SRPITP_SERVICE_KEY": _KEY,
        "SRPITP_ADMIN_KEY": _KEY,
        "SRPITP_MATCHER_URL": f"http://127.0.0.1:{port}",
    }
    with (folder / "matcher.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.matcher.main"],
            env=environment,
            stdout=log,
            stderr=log,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_for(url, "/health/live")
            yield process.pid, url
        finally:
            process.terminate()
            process.wait()


def _wait_until_ready(url: str) -> None:
    _wait_for(url, "/health/ready")


def _wait_for(url: str, path: str) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        try:
            if httpx.get(url + path).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.02)
    raise TimeoutError(f"{url}{path} did not answer within {_READY_SECONDS} s")


def _say_log(folder: Path) -> None:
    for line in (folder / "matcher.log").read_text().splitlines():
        if "index is loaded" in line:
            print(line[line.index("the index") :].split('"')[0])


def _resident_mb(process: int, field: str) -> int:
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) // 1024
    raise ValueError(f"no {field}")


def _processor_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _spread(seconds: list[float]) -> str:
    half, most = np.quantile(seconds, [0.5, 0.95])
    return f"{half:.3f} s (p50), {most:.3f} s (p95), {max(seconds):.3f} s at most"


def main() -> None:
    """Measure what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("load", "alerts"))
    parser.add_argument("--views", type=int, default=1_000_000, help="protected, for load")
    parser.add_argument("--protected", type=int, default=100_000, help="images, for alerts")
    parser.add_argument("--images", type=int, default=500, help="that a site shows, for alerts")
    parser.add_argument("--photos", type=Path, help="a folder of them; scikit-image's, if none")
    parser.add_argument("--csv", type=Path, help="where to write every image's times")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="srpitp-live-"))
    try:
        if arguments.what == "load":
            measure_load(folder, views=arguments.views)
        else:
            measure_alerts(
                folder,
                protected=arguments.protected,
                images=arguments.images,
                photos=arguments.photos,
                table=arguments.csv,
            )
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
