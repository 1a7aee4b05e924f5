"""Starts Spark's Python workers: forked from a process that has imported all they need already.

Importing the driver, the libraries and the compiled kernel takes two seconds of each worker
otherwise, and Spark starts some for each core.
"""

import gc
import sys

from pyspark import daemon

from srpitp_fingerprint import load_backend

__all__ = ["main"]

_SELDOM = 200_000  # objects more than before
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
    # Tasks make and drop millions of documents, none of them in a circle: looking for circles takes
    # as long as all the rest. What is here already is shared by all workers, and never looked at.
    gc.freeze()
    gc.set_threshold(_SELDOM, 50, 100)


if __name__ == "__main__":
    main()
