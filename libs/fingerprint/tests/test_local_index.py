import cv2
import numpy as np
import pytest

from srpitp_fingerprint import local_features
from srpitp_fingerprint.local_index import LocalIndex


def noisy(seed, height=240, width=320):
    """Texture of several sizes."""
    random = np.random.default_rng(seed)
    sizes = [cv2.GaussianBlur(random.normal(0, 1, (height, width)), (0, 0), s) * s for s in (2, 5)]
    return np.clip(128 + 90 * sum(sizes), 0, 255).astype(np.uint8)


FEATURES = [local_features(noisy(seed)) for seed in range(8)]
PARTS = [local_features(np.ascontiguousarray(noisy(seed)[64:200, 80:280])) for seed in range(8)]


def filed(pictures, first=0):
    index = LocalIndex()
    index.extend(list(enumerate(pictures, first)))
    return index


def all_votes(index):
    return [dict(zip(*(of.tolist() for of in index.votes(part)), strict=True)) for part in PARTS]


@pytest.mark.parametrize("seed", range(8))
def test_part_of_a_picture_votes_for_it(seed):
    places, votes = filed(FEATURES).votes(PARTS[seed])
    assert places[votes.argmax()] == seed
    assert votes.max() > 1.2 * np.delete(votes, votes.argmax()).max(initial=0)


def test_points_in_several_pictures_are_shared_out():
    alone, twice = filed(FEATURES[:1]), filed([FEATURES[0], FEATURES[0]])
    _, votes = alone.votes(FEATURES[0])
    np.testing.assert_allclose(twice.votes(FEATURES[0])[1], [votes[0] / 2] * 2)


def test_pictures_without_points_have_no_votes():
    plain = local_features(np.zeros((90, 90), np.uint8))
    for index in (filed([plain]), filed([])):
        assert [of.tolist() for of in index.votes(FEATURES[1])] == [[], []]
    assert [of.tolist() for of in filed(FEATURES[:1]).votes(plain)] == [[], []]


def test_sides_of_one_picture_are_filed_together():
    index = LocalIndex()
    index.extend([(3, FEATURES[0]), (3, FEATURES[1])])
    assert [index.votes(one)[0].tolist() for one in FEATURES[:2]] == [[3], [3]]


def test_points_are_found_however_they_came():
    at_once, one_by_one = filed(FEATURES), LocalIndex()
    for place, features in enumerate(FEATURES):
        one_by_one.extend([(place, features)])
    assert all_votes(one_by_one) == all_votes(at_once)


def test_removed_pictures_leave_nothing_behind():
    """Nor does the length of the keys, which hangs on how many points are there."""
    index = filed([FEATURES[0], *FEATURES, *FEATURES])
    for place in (0, *range(9, 17), 9):
        index.remove(place)
    assert all_votes(index) == all_votes(filed(FEATURES, first=1))
    compacted = index.compacted(np.arange(-1, 16))
    assert len(compacted) == len(filed(FEATURES))
    assert all_votes(compacted) == all_votes(filed(FEATURES))


def test_longer_keys_find_the_same_points_again(monkeypatch):
    monkeypatch.setattr("srpitp_fingerprint.local_index._LEAST_KEY_BITS", 4)
    grown, removed = LocalIndex(), filed(FEATURES[:3])
    removed.remove(1)
    for place, features in enumerate(FEATURES):
        grown.extend([(place, features)])
        removed.extend([(place + 3, features)])
    assert all_votes(grown) == all_votes(filed(FEATURES))
    expected = filed([FEATURES[0], FEATURES[1], FEATURES[2], *FEATURES])
    expected.remove(1)
    assert all_votes(removed) == all_votes(expected)
