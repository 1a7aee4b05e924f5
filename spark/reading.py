"""What a task reads of MongoDB: a piece of a collection, by tag and range of ids.

The rows of Spark's data frames are no more than the numbers of pieces. The Python worker of an
executor reads its piece itself, as the BSON that MongoDB sends: documents that come by way of Java
are copied four times, which takes longer than all that is done with them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from spark.ranges import Range
from spark.store import Document, Store
from srpitp_contracts.names import Collection
from srpitp_servicekit.mongo import unpacked

__all__ = ["Piece", "pieces"]


class Piece(NamedTuple):
    """Documents that one task reads.

    Attributes
    ----------
    collection : Collection
    part : Range
    condition : mapping
        What is asked of a document beside.
    fields : sequence of str
        What is read of it.
    """

    collection: Collection
    part: Range
    condition: Mapping[str, Any]
    fields: Sequence[str]

    def raws(self, store: Store) -> Iterator[bytes]:
        """Yield the documents as BSON, some hundred at a time."""
        return store.raw_batches(*self)

    def documents(self, store: Store) -> Iterator[Document]:
        """Yield the documents one by one."""
        for raw in self.raws(store):
            yield from unpacked(raw)


def pieces(
    collection: Collection,
    parts: Sequence[Range],
    *,
    condition: Mapping[str, Any],
    fields: Sequence[str],
) -> list[Piece]:
    """Make a piece of each range."""
    return [Piece(collection, part, condition, fields) for part in parts]
