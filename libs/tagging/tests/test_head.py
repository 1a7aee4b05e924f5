"""The head: its file, and what is refused."""

import zipfile

import numpy as np
import pytest

from srpitp_tagging import FEATURES, Head, HeadError

TAGS = ("people", "animal", "scenic", "other")


def head(tags=("cat", "dog")):
    random = np.random.default_rng(1)
    weights = random.normal(size=(len(tags), FEATURES)).astype(np.float32)
    return Head(tags, weights, np.zeros(len(tags), np.float32))


def test_the_head_that_ships_has_our_tags():
    shipped = Head.read()
    assert shipped.tags == TAGS
    assert shipped.weights.shape == (4, FEATURES)


def test_a_head_of_ones_own_is_read_as_it_was_written(tmp_path):
    own = head()
    own.write(tmp_path / "own.npz")
    again = Head.read(tmp_path / "own.npz")
    assert again.tags == own.tags
    np.testing.assert_array_equal(again.weights, own.weights)
    np.testing.assert_array_equal(again.bias, own.bias)


def test_confidences_sum_to_one_however_large_the_scores():
    features = np.full((2, FEATURES), 1e4, np.float32)
    confidences = head().confidences(features)
    np.testing.assert_allclose(confidences.sum(axis=1), 1)


def arrays(**changes):
    good = {"tags": np.array(["cat", "dog"]), "weights": head().weights, "bias": head().bias}
    return {**good, **changes}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tags": np.array(["cat"])}, "two or more"),
        ({"tags": np.array(["cat", "cat"])}, "each once"),
        ({"tags": np.array(["cat", "A dog"])}, "'A dog'"),
        ({"tags": np.array(["cat", "dog", "cow"])}, "a row for each tag"),
        ({"weights": np.zeros((2, 3), np.float32)}, r"shape \(2, 1280\)"),
        ({"weights": np.full((2, FEATURES), np.nan, np.float32)}, "finite"),
        ({"bias": np.zeros(2)}, "float32"),
    ],
)
def test_a_head_that_is_wrong_is_told_what_is_wrong(tmp_path, changes, message):
    path = tmp_path / "own.npz"
    np.savez(path, **arrays(**changes))
    with pytest.raises(HeadError, match=message) as refused:
        Head.read(path)
    assert str(path) in str(refused.value)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "own.npz"
    without_bias = arrays()
    del without_bias["bias"]
    np.savez(path, **without_bias)
    files = [path.read_bytes(), path.read_bytes()[:5000], b"", b"people,animal", np_pickled(path)]
    for content in files:
        path.write_bytes(content)
        with pytest.raises(HeadError, match=r"give a numpy \.npz with 'tags'"):
            Head.read(path)


def np_pickled(path):
    """A file whose tags are Python objects, which only a pickle can hold."""
    other = path.with_name("pickled.npz")
    np.savez(other, **arrays(tags=np.array(["cat", "dog"], object)))
    assert zipfile.is_zipfile(other)
    return other.read_bytes()


def test_a_file_that_is_not_there_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        Head.read(tmp_path / "none.npz")
