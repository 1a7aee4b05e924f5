"""Documents as arrays."""

from datetime import UTC, datetime
from typing import Any

import bson
import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from srpitp_servicekit.alike import alike_in

Document = dict[str, Any]
DIFFERING = ("_id", "n", "of.x", "list.bytes", "list.when")

texts = st.sampled_from(["", "a", "b", "ab", "ba"])
parts = st.fixed_dictionaries(
    {"bytes": st.binary(max_size=2), "name": texts},
    optional={"when": st.just(datetime(2026, 1, 2, tzinfo=UTC)), "flag": st.booleans()},
)
documents = st.fixed_dictionaries(
    {"_id": texts},
    optional={
        "n": st.integers(-(2**40), 2**40) | st.none() | st.floats(0, 1) | st.booleans(),
        "of": st.fixed_dictionaries({"x": texts, "y": texts}),
        "list": st.lists(parts, max_size=2),
        "lists": st.lists(st.lists(st.integers(0, 1), max_size=2), max_size=2),
    },
)


def encoded(many: list[Document]) -> bytes:
    return b"".join(bson.encode(one) for one in many)


def plain(one: Document) -> Document:
    """What is left of a document without the values that may differ."""
    listed = [{k: v for k, v in part.items() if k == "name"} for part in one.get("list", [])]
    return {
        "keys": list(one),
        "y": one.get("of", {}).get("y"),
        "list": listed,
        "lists": one.get("lists"),
    }


@given(st.lists(documents, max_size=12))
def test_every_document_comes_once_among_those_like_it(many: list[Document]) -> None:
    groups = [alike.documents() for alike in alike_in(encoded(many), DIFFERING)]
    came = [bson.encode(one) for group in groups for one in group]
    assert sorted(came) == sorted(bson.encode(one) for one in many)
    for first, *others in groups:
        assert all(plain(other) == plain(first) for other in others)


def test_values_lie_in_arrays() -> None:
    many = [
        {"_id": f"{k:02}", "list": [{"bytes": bytes([k, k]), "name": "a"}] * 2, "flag": True}
        for k in range(5)
    ]
    [alike] = alike_in(encoded(many), DIFFERING)
    ids, inner = alike.values("_id", 2), alike.values("list.bytes", 2)
    assert ids is not None
    assert [row.tobytes() for row in ids[:, 0]] == [b"00", b"01", b"02", b"03", b"04"]
    assert inner is not None
    assert inner.tolist() == [[[k, k], [k, k]] for k in range(5)]
    assert alike.values("_id", 3) is None
    assert alike.values("n", 2) is None
    assert (len(alike), alike.first) == (5, many[0])
    assert alike.documents(np.arange(5) == 3) == [many[3]]


def test_what_lies_between_tells_documents_apart() -> None:
    many = [{"_id": "a", "flag": k % 2 == 0, "name": "xy"[k // 2 % 2]} for k in range(8)]
    assert [len(alike) for alike in alike_in(encoded(many), DIFFERING)] == [2, 2, 2, 2]


def test_nothing_is_nothing() -> None:
    assert list(alike_in(b"", DIFFERING)) == []


def test_a_rare_type_leaves_a_document_by_itself() -> None:
    many = [{"_id": id_, "rare": bson.Regex("x")} for id_ in "ab"]
    groups = list(alike_in(encoded(many), DIFFERING))
    assert [alike.documents() for alike in groups] == [[one] for one in many]
    assert groups[0].values("_id", 1) is None
