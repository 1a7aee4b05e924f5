"""Whether Spark can run here: asked by the matcher before it launches a job, and by the job."""

import importlib.util
import os
import shutil
from pathlib import Path


def why_no_spark() -> str | None:
    """Say what Spark lacks on this machine; None if it can run."""
    home = os.environ.get("JAVA_HOME")
    java = Path(home, "bin", "java") if home else shutil.which("java")
    if java is None or not Path(java).exists():
        return (
            "Spark jobs need Java 17 or newer, which is missing here: install Debian's "
            "openjdk-17-jre-headless, then run 'make spark'."
        )
    if importlib.util.find_spec("pyspark") is None:
        return "Spark jobs need PySpark, which is missing here: run 'make spark'."
    return None
