"""Starts Spark's Python workers: forked from a process that has imported all they need already.

Importing the driver, the libraries and the compiled kernel takes two seconds of each worker
otherwise, and Spark starts some for each core.
"""

import sys

from pyspark import daemon

from srpitp_fingerprint import load_backend

__all__ = ["main"]

_PLANS = "pyspark.sql.worker"  # short-lived ones that only plan


def main() -> None:
    """Fork workers until Spark ends."""
    if not any(argument.startswith(_PLANS) for argument in sys.argv):
        _prepare()
    daemon.manager()


def _prepare() -> None:
    import spark.matching
    import spark.source  # noqa: F401

    load_backend()


if __name__ == "__main__":
    main()
