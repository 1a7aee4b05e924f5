"""A Spark session as our jobs need it."""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from spark.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["SparkMissingError", "open_session", "why_no_spark"]

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


def why_no_spark() -> str | None:
    """Say what Spark lacks on this machine; None if it can run."""
    home = os.environ.get("JAVA_HOME")
    java = Path(home, "bin", "java") if home else shutil.which("java")
    if java is None or not Path(java).exists():
        return (
            "Spark jobs need Java 17 or newer, which is missing here: install Debian's "
            "openjdk-17-jre-headless, then run 'make spark'."
        )
    try:
        import pyspark  # noqa: F401
    except ModuleNotFoundError:
        return "Spark jobs need PySpark, which is missing here: run 'make spark'."
    return None


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
