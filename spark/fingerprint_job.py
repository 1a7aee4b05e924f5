"""Describe images anew: ``python -m spark.fingerprint_job --run ID --attempt N``.

Those whose description is missing, or whose fingerprints are of another version or profile than the
library's, protected and detected ones. Their bytes come from the blob store. Everything else is in
the run's document and in the environment (see `spark.settings`).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from spark.describing import running_describer
from spark.jobs import Task, collected, main
from spark.outcome import Outcome
from spark.ranges import cut
from spark.reading import Piece, pieces
from spark.refreshing import REFRESH_FIELDS, refresh
from spark.settings import Settings
from spark.store import Address, Store, in_some, open_store
from srpitp_contracts.names import Collection
from srpitp_contracts.registration import ProtectionStatus
from srpitp_contracts.runs import Run
from srpitp_servicekit.blobs import BlobStore

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["describe_anew", "task_of"]


def describe_anew(spark: "SparkSession", run: Run, store: Store, settings: Settings) -> Outcome:
    """Describe the images of a run anew that need it."""

    def of(name: Collection, condition: dict[str, Any]) -> list[Piece]:
        parts = cut(store.counts(name), settings.spark_task_images)
        if run.tags:
            among = {"$in": list(run.tags)}
            condition = {**condition, "$or": [{"tag": among}, {"tags.tag": among}]}
        return pieces(name, parts, condition=condition, fields=REFRESH_FIELDS)

    protected = of(Collection.PROTECTED, {"status": str(ProtectionStatus.ACTIVE)})
    detected = of(Collection.DETECTED, {})
    return collected(spark, [*protected, *detected], task_of(settings))


def task_of(settings: Settings) -> Task:
    """Return what describes the images of a piece."""

    def task(piece: Piece) -> Iterator[Outcome]:
        blobs = BlobStore(settings.data_dir)
        with open_store(Address.of(settings)) as store, running_describer(settings) as describer:
            for some in in_some(piece.documents(store), settings.spark_batch_images):
                yield refresh(some, store, blobs, describer, settings.fingerprint_profile)

    return task


if __name__ == "__main__":
    main("Describe images anew whose description does not count.", describe_anew)
