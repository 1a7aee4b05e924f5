"""MongoDB, read by Spark's tasks."""

from collections.abc import Iterator
from typing import Any

import pytest

from spark.jobs import collected
from spark.outcome import Outcome
from spark.ranges import cut
from spark.reading import Piece, pieces
from spark.settings import Settings
from spark.store import Address, Store, open_store
from srpitp_contracts.names import Collection
from srpitp_contracts.runs import RunCounts
from tests.spark.pictures import NOW


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


def wanted(store: Store) -> list[Piece]:
    parts = cut(store.counts(Collection.DETECTED), 400)
    condition = {"n": {"$gte": 100}, "seen": NOW}
    fields = ("_id", "tag", "n")
    return pieces(Collection.DETECTED, parts, condition=condition, fields=fields)


def test_every_document_comes_once(store: Store, numbered: list[dict[str, Any]]) -> None:
    asked = wanted(store)
    assert len(asked) == 8
    read = [document for piece in asked for document in piece.documents(store)]
    asked_for = [one for one in numbered if one["n"] >= 100]
    assert read == sorted(asked_for, key=lambda one: (str(one["tag"]), str(one["_id"])))


def test_tasks_read_every_piece_once(
    spark: Any, store: Store, settings: Settings, numbered: list[dict[str, Any]]
) -> None:
    address = Address.of(settings)

    def task(piece: Piece) -> Iterator[Outcome]:
        with open_store(address) as own:
            total = sum(document["n"] for document in piece.documents(own))
        yield Outcome(counts=RunCounts(images=1, pairs=total))

    outcome = collected(spark, wanted(store), task)
    assert (outcome.counts.images, outcome.counts.pairs) == (8, sum(range(100, 3000)))
    assert collected(spark, [], task) == Outcome()
