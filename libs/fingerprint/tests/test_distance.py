import hypothesis.strategies as st
import pytest
from hypothesis import given

from srpitp_fingerprint import (
    THRESHOLDS,
    Verdict,
    decision_distance,
    distance,
    unpack,
    verdict,
)

packed = st.binary(min_size=180, max_size=180)


@given(packed, packed, packed)
def test_distance_is_a_metric(a, b, c):
    assert distance(a, a) == 0
    assert distance(a, b) == distance(b, a)
    assert (distance(a, b) == 0) == (a == b)
    assert distance(a, c) <= distance(a, b) + distance(b, c) + 1e-12


@given(packed, packed)
def test_distances_are_what_they_say(a, b):
    x, y = unpack(a), unpack(b)
    differing = sum(i != j for i, j in zip(x, y, strict=True))
    weak = sum(i == j and i in (1, 2) for i, j in zip(x[144:], y[144:], strict=True))
    assert distance(a, b) == differing / 720
    assert decision_distance(a, b) == (differing + weak / 4) / 720
    assert decision_distance(a, b) == decision_distance(b, a)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0, Verdict.EXACT), (1e-9, Verdict.SIMILAR), (0.4258, Verdict.SIMILAR), (0.426, "distinct")],
)
def test_verdict_is_formula_2(value, expected):
    assert verdict(value, THRESHOLDS["paper"]) == expected
