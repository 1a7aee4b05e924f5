"""MongoDB as a source of Spark."""

from typing import Any

import bson
import pytest

from spark.ranges import Range, cut
from spark.session import why_no_spark
from spark.settings import Settings
from spark.store import Address, Store
from srpitp_contracts.names import Collection
from tests.spark.pictures import NOW

if reason := why_no_spark():
    pytest.skip(reason, allow_module_level=True)

from pyspark.testing import assertDataFrameEqual

from spark.source import COLUMN, decoded, read_documents, record_batch


@pytest.fixture
def numbered(store: Store) -> list[dict[str, Any]]:
    """Three thousand documents of two tags, more than are read at once."""
    documents = [
        {"_id": f"{number * 2654435761 % 2**32:08x}", "tag": "ab"[number % 2], "n": number}
        for number in range(3000)
    ]
    detected = store.collection(Collection.DETECTED)
    detected.create_index([("tag", 1), ("_id", 1)])
    detected.insert_many({**one, "seen": NOW, "unasked": "x"} for one in documents)
    return documents


def test_every_document_comes_once(
    spark: Any,
    store: Store,
    settings: Settings,
    numbered: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # What compares looks at pandas too, which warns without it.
    monkeypatch.setenv("PYARROW_IGNORE_TIMEZONE", "1")
    parts = cut(store.counts(Collection.DETECTED), 400)
    rows = read_documents(
        spark,
        Address.of(settings),
        Collection.DETECTED,
        parts,
        condition={"n": {"$gte": 100}, "seen": NOW},
        fields=("_id", "tag", "n"),
    )
    assert rows.rdd.getNumPartitions() == len(parts) == 8
    wanted = [(bytearray(bson.encode(one)),) for one in numbered if one["n"] >= 100]
    assertDataFrameEqual(rows, spark.createDataFrame(wanted, f"{COLUMN} binary"))
    assert settings.mongodb_uri not in rows._jdf.queryExecution().toString()


def test_a_batch_is_what_mongodb_sent(store: Store, numbered: list[dict[str, Any]]) -> None:
    raws = store.raw_batches(Collection.DETECTED, Range("a", None, None), {}, ("_id", "tag", "n"))
    batches = [record_batch(raw) for raw in raws]
    assert [batch.num_rows for batch in batches] == [1000, 500]
    read = [document for batch in batches for document in decoded(batch)]
    assert read == sorted(
        (one for one in numbered if one["tag"] == "a"), key=lambda one: str(one["_id"])
    )
