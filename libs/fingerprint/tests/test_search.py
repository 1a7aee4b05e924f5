import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from srpitp_fingerprint import decision_distance, distance, nearest


def by_hand(queries, protected, k, max_distance, metric):
    """Compare every pair with the naive distance, and sort."""
    measure = {"plain": distance, "decision": decision_distance}[metric]
    distances = np.full((len(queries), k), np.inf, np.float64)
    indices = np.full((len(queries), k), -1)
    for i, query in enumerate(queries):
        pairs = sorted((measure(query, one), j) for j, one in enumerate(protected))
        for place, (d, j) in enumerate([p for p in pairs if p[0] <= max_distance][:k]):
            distances[i, place], indices[i, place] = d, j
    return distances, indices


@settings(max_examples=25, deadline=None)
@given(
    k=st.integers(1, 50),
    max_distance=st.sampled_from([0.0, 0.2, 0.3, 0.43, 0.5, 1.0]),
    metric=st.sampled_from(["plain", "decision"]),
    count=st.integers(0, 40),
)
def test_finds_what_comparing_by_hand_finds(fingerprints, k, max_distance, metric, count):
    protected = fingerprints[:count] + fingerprints[:3]  # the last three are ties
    found = nearest(fingerprints[:18], protected, k=k, max_distance=max_distance, metric=metric)
    expected = by_hand(fingerprints[:18], protected, k, max_distance, metric)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


def test_ties_go_to_the_smaller_index_across_chunks(fingerprints):
    one = np.frombuffer(fingerprints[0], np.uint8)
    protected = np.tile(255 - one, (9000, 1))
    protected[[17, 5000, 8999]] = one
    distances, indices = nearest([fingerprints[0]], protected, k=4, metric="plain")
    assert indices.tolist() == [[17, 5000, 8999, 0]]
    assert distances[0, :3].tolist() == [0, 0, 0]


def test_threshold_itself_is_within(fingerprints):
    a, b = fingerprints[:2]
    d = decision_distance(a, b)
    assert nearest([a], [b], max_distance=d)[1].tolist() == [[0]]
    assert nearest([a], [b], max_distance=d - 1e-9)[1].tolist() == [[-1]]


def test_types_and_shapes(fingerprints):
    distances, indices = nearest(fingerprints[:5], [], k=3)
    assert (distances.shape, distances.dtype) == ((5, 3), np.float64)
    assert (indices.shape, indices.dtype) == ((5, 3), np.int64)
    assert np.isinf(distances).all()
    assert (indices == -1).all()
    assert nearest([], fingerprints, k=2)[1].shape == (0, 2)


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (([b"short"], [bytes(180)]), {}),
        ((np.zeros((2, 90), np.uint8), []), {}),
        ((np.zeros((2, 180)), []), {}),
        (([bytes(180)], []), {"k": 0}),
        (([bytes(180)], []), {"metric": "cosine"}),
    ],
)
def test_nonsense_is_refused(arguments, options):
    with pytest.raises(ValueError, match=r"fingerprint|k must|metric"):
        nearest(*arguments, **options)
