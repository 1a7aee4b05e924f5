"""What a measurement of the Spark jobs took: by the clock, of processors, and of memory."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from spark_world import cpu_of, cpu_of_tree

__all__ = ["Clock", "Cost", "peak_mb"]


@dataclass(frozen=True)
class Cost:
    """What a measurement took.

    Attributes
    ----------
    what, master, images, records
    start_seconds : float
        Until Spark would begin: Java, a session, a first Python task.
    seconds : float
        From then on, by the clock.
    start_cpu_seconds, cpu_seconds, mongod_cpu_seconds : float
        Of processors.
    peak_mb : float
        Of the driver's Python and Java together.
    done : int
        Pairs, images or rows: what it was for.
    """

    what: str
    master: str
    images: int
    records: int
    start_seconds: float
    seconds: float
    start_cpu_seconds: float
    cpu_seconds: float
    mongod_cpu_seconds: float
    peak_mb: float
    done: int


class Clock:
    """Measures blocks: by the clock, and the processors of us and of MongoDB."""

    def __init__(self, uri: str) -> None:
        client: MongoClient[Any] = MongoClient(uri)
        self._mongod = int(client.admin.command("serverStatus")["pid"])
        client.close()
        self.seconds = self.cpu = self.mongod = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Measure a block, from nothing."""
        began = time.perf_counter(), cpu_of_tree(os.getpid()), cpu_of(self._mongod)
        yield
        self.seconds = time.perf_counter() - began[0]
        self.cpu = cpu_of_tree(os.getpid()) - began[1]
        self.mongod = cpu_of(self._mongod) - began[2]


def peak_mb(spark: Any) -> float:
    """Give the most memory that the driver had, its Java included."""
    pids = [os.getpid()]
    if spark is not None:
        pids.append(int(spark._jvm.java.lang.ProcessHandle.current().pid()))
    peaks = [Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1] for pid in pids]
    return sum(int(peak.split()[0]) for peak in peaks) / 1024
