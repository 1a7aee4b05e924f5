"""A Spark session as our jobs need it."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from spark.settings import Settings
from srpitp_servicekit.spark import why_no_spark

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_TRIES = 4
_CONF = {
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "8",
    "spark.sql.session.timeZone": "UTC",
    # A task takes seconds to minutes: a second copy of a slow one would only take cores away.
    "spark.speculation": "false",
    "spark.python.daemon.module": "spark.daemon",
    "spark.python.worker.reuse": "true",
}
_THREADS = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
"""Of a Python worker: there is one for each core already."""
_OF_ONE_MACHINE = {
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}


class SparkMissingError(RuntimeError):
    """Spark cannot run here; the message says what to do."""


@contextmanager
def open_session(settings: Settings, name: str) -> Iterator["SparkSession"]:
    """Open a session; it ends with the block.

    Raises
    ------
    SparkMissingError
        There is no Java or no PySpark.
    """
    if reason := why_no_spark():
        raise SparkMissingError(reason)
    from pyspark.sql import SparkSession

    _prepare_environment()
    builder = SparkSession.builder.appName(name)
    conf = _CONF | {f"spark.executorEnv.{name}": number for name, number in _THREADS.items()}
    if settings.spark_master:
        builder = builder.master(_with_tries(settings.spark_master))
        conf |= _OF_ONE_MACHINE if settings.spark_master.startswith("local") else {}
    for key, value in {**conf, **settings.spark_conf}.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    try:
        yield session
    finally:
        session.stop()


def _with_tries(master: str) -> str:
    """Let a task be tried again in local mode too, where Spark gives it up at once."""
    threads = re.fullmatch(r"local\[(\*|\d+)\]", master)
    return f"local[{threads[1]},{_TRIES}]" if threads else master


def _prepare_environment() -> None:
    """See to it that Python workers are this Python, and use one thread each."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    for name, number in _THREADS.items():
        os.environ.setdefault(name, number)
