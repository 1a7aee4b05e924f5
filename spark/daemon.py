"""Starts Spark's Python workers: forked from a process that has imported all they need already.

Importing the driver, the libraries, pandas (which PySpark wants) and the compiled kernel takes some
seconds of each worker otherwise, and Spark starts one for each core.
"""

import gc
import importlib
import sys
import zipimport

from pyspark import daemon

from srpitp_fingerprint import load_backend

__all__ = ["main"]

_SELDOM = 200_000  # objects more than before
_NEEDED = ("pyspark.sql.pandas.serializers", "pandas", "spark.fingerprint_job", "spark.match_job")


def main() -> None:
    """Fork workers until Spark ends."""
    for name in _NEEDED:
        importlib.import_module(name)
    load_backend()
    _forget_zips()
    # Tasks make and drop millions of documents, none of them in a circle: looking for circles takes
    # as long as all the rest. What is here already is shared by all workers, and never looked at.
    gc.freeze()
    gc.set_threshold(_SELDOM, 50, 100)
    daemon.manager()


def _forget_zips() -> None:
    """Forget where modules were found in PySpark's archive; they are imported.

    Before each task PySpark has Python look anew for modules that may have been added, for which
    the archive's table of contents is read once for each package in it: a tenth of a second.
    """
    for path, finder in list(sys.path_importer_cache.items()):
        if isinstance(finder, zipimport.zipimporter):
            del sys.path_importer_cache[path]


if __name__ == "__main__":
    main()
