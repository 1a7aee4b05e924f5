"""MongoDB as a source of Spark: documents in Arrow batches, partitioned by tag and range of ids.

A row is a document as MongoDB sent it, in BSON. A raw batch is handed on as it is, with the places
where documents begin, so that reading costs next to nothing; who uses a document decodes it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import bson.json_util
import numpy as np
import pyarrow as pa
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition

from spark.ranges import Range
from spark.store import Address, Document, open_store
from srpitp_contracts.names import Collection

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["DocumentSource", "decoded", "read_documents", "record_batch"]

COLUMN = "document"


def read_documents(
    spark: "SparkSession",
    address: Address,
    collection: Collection,
    parts: Sequence[Range],
    *,
    condition: Mapping[str, Any],
    fields: Sequence[str],
) -> "DataFrame":
    """Read the documents of ranges that fulfil a condition: one column of BSON.

    Parameters
    ----------
    spark, address, collection
    parts
        A partition each.
    condition
        What is asked of a document beside.
    fields
        What is read of it.
    """
    spark.dataSource.register(DocumentSource)
    reader = spark.read.format(DocumentSource.name())
    options = {
        "url": address.uri,  # so called, it is left out of the plans that Spark shows
        "database": address.database,
        "timeout": str(address.timeout_seconds),
        "collection": str(collection),
        "parts": json.dumps(parts),
        "condition": bson.json_util.dumps(condition),
        "fields": json.dumps(list(fields)),
    }
    return reader.options(**options).load()


class DocumentSource(DataSource):
    """The source, as Spark knows it; see `read_documents`."""

    @classmethod
    def name(cls) -> str:
        """Return what the source is called in Spark."""
        return "srpitp"

    def schema(self) -> str:
        """Return the columns."""
        return f"{COLUMN} binary"

    def reader(self, schema: Any) -> DataSourceReader:  # noqa: ARG002  (it is always the same)
        """Return what reads."""
        return _Reader(dict(self.options))


class _Part(InputPartition):
    def __init__(self, part: Range) -> None:
        super().__init__(part)


class _Reader(DataSourceReader):
    def __init__(self, options: Mapping[str, str]) -> None:
        self._address = Address(options["url"], options["database"], float(options["timeout"]))
        self._collection = Collection(options["collection"])
        self._parts = [Range(*part) for part in json.loads(options["parts"])]
        self._condition = bson.json_util.loads(options["condition"])
        self._fields = json.loads(options["fields"])

    def partitions(self) -> list[InputPartition]:
        return [_Part(part) for part in self._parts]

    def read(self, partition: Any) -> Iterator[pa.RecordBatch]:
        if partition is None:  # so Spark asks where there are no partitions
            return
        with open_store(self._address) as store:
            raws = store.raw_batches(
                self._collection, Range(*partition.value), self._condition, self._fields
            )
            for raw in raws:
                yield record_batch(raw)


def record_batch(raw: bytes) -> pa.RecordBatch:
    """Make a batch of BSON documents that lie one after the other, without copying them."""
    starts, at = [0], 0
    while at < len(raw):
        at += int.from_bytes(raw[at : at + 4], "little")
        starts.append(at)
    offsets = pa.py_buffer(np.array(starts, np.int32))
    buffers = [None, offsets, pa.py_buffer(raw)]
    column = pa.Array.from_buffers(pa.binary(), len(starts) - 1, buffers)
    return pa.RecordBatch.from_arrays([column], [COLUMN])


def decoded(batch: pa.RecordBatch) -> Iterator[Document]:
    """Yield the documents of a batch."""
    for document in batch.column(COLUMN):
        yield bson.decode(document.as_buffer(), _CODEC)


_CODEC: bson.CodecOptions[Document] = bson.CodecOptions(tz_aware=True)
