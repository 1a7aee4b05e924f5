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


@pytest.fixture(scope="module")
def index():
    return LocalIndex([local_features(noisy(seed)) for seed in range(8)])


@pytest.mark.parametrize("seed", range(8))
def test_part_of_a_picture_votes_for_it(index, seed):
    votes = index.votes(local_features(np.ascontiguousarray(noisy(seed)[64:200, 80:280])))
    assert votes.shape == (8,)
    assert votes.argmax() == seed
    assert votes[seed] > 1.2 * np.delete(votes, seed).max()


def test_points_in_several_pictures_are_shared_out():
    features = local_features(noisy(1))
    alone, twice = LocalIndex([features]), LocalIndex([features, features])
    np.testing.assert_allclose(twice.votes(features), alone.votes(features)[0] / 2)


def test_pictures_without_points_have_no_votes():
    plain = local_features(np.zeros((90, 90), np.uint8))
    features = local_features(noisy(1))
    assert LocalIndex([None, plain]).votes(features).tolist() == [0, 0]
    assert LocalIndex([]).votes(features).tolist() == []
    assert LocalIndex([features]).votes(plain).tolist() == [0]
