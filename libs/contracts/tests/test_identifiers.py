import hypothesis.strategies as st
from hypothesis import given

from srpitp_contracts import identifiers
from srpitp_contracts.identifiers import derived_id, random_id
from srpitp_contracts.model import Identifier, Model


class Named(Model):
    id: Identifier


parts = st.lists(st.text(alphabet=st.characters(codec="utf-8")), max_size=5)


@given(parts, parts)
def test_the_same_parts_and_only_they_give_the_same_id(a: list[str], b: list[str]) -> None:
    assert (derived_id(*a) == derived_id(*b)) == (a == b)


@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1), st.data())
def test_moving_a_boundary_names_another_thing(text: str, data: st.DataObject) -> None:
    cuts = st.integers(0, len(text))
    one, other = data.draw(cuts), data.draw(cuts)
    same = derived_id(text[:one], text[one:]) == derived_id(text[:other], text[other:])
    assert same == (one == other)


@given(parts)
def test_ids_are_identifiers(some: list[str]) -> None:
    assert Named(id=derived_id(*some)).id == derived_id(*some)


def test_random_ids_differ() -> None:
    ids = {random_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(Named(id=one) for one in ids)


def test_kinds_of_things_do_not_meet() -> None:
    kinds = (
        identifiers.detected_id,
        identifiers.sighting_id,
        identifiers.match_id,
        identifiers.alert_id,
    )
    assert len({kind("a", "b") for kind in kinds}) == len(kinds)
    assert all(kind("a", "b") == kind("a", "b") != kind("b", "a") for kind in kinds)


def test_ids_stay_what_they_are_in_stores_already() -> None:
    assert derived_id("alert", "match", "event") == "10d9495d12f07fdfcaa281650ead9cde"
