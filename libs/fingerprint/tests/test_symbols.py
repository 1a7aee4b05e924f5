import hypothesis.extra.numpy as arrays
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from srpitp_fingerprint import FINGERPRINT_BYTES, pack, quantise, unpack

symbols = arrays.arrays(np.uint8, (720,), elements=st.integers(0, 3))


@given(symbols)
def test_packing_round_trips(s):
    packed = pack(s)
    assert packed.shape == (FINGERPRINT_BYTES,)
    assert (unpack(packed) == s).all()
    assert (unpack(packed.tobytes()) == s).all()


def test_first_symbol_is_in_the_low_bits():
    assert pack(np.array([1, 2, 3, 0], np.uint8)) == [0b00_11_10_01]


def test_many_pack_at_once():
    many = np.random.default_rng(0).integers(0, 4, (3, 5, 720)).astype(np.uint8)
    assert pack(many).shape == (3, 5, 180)
    assert (unpack(pack(many)) == many).all()


def test_thresholds_are_where_the_definition_has_them():
    a = np.tile(np.float32([0, 64, 64.01, 128, 128.01, 192, 192.01, 255]), 18)
    d = np.tile(np.float32([-255, -4.01, -4, -0.01, 0, 4, 4.01, 255]), 72)
    s = quantise(a, d)
    assert s[:8].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert s[144:152].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("wrong", [b"", bytes(179), np.zeros(180, np.int64), np.zeros((180, 2))])
def test_other_sizes_are_refused(wrong):
    with pytest.raises(ValueError, match="180 bytes"):
        unpack(wrong)
