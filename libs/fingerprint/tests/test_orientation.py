import itertools

import numpy as np
import pytest

from srpitp_fingerprint import ORIENTATIONS, distance, extract, negative, permute
from srpitp_fingerprint.orientation import orient


@pytest.fixture(scope="module")
def luma(scene):
    return scene(330, 400, 3)


def fingerprint(luma):
    return extract(luma).views[0].fingerprint


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_is_near_an_extraction_anew(luma, orientation):
    anew = fingerprint(np.ascontiguousarray(orient(luma, orientation)))
    assert distance(permute(fingerprint(luma), orientation), anew) <= 0.03


def test_negative_is_near_an_extraction_anew(luma):
    assert distance(negative(fingerprint(luma)), fingerprint(255 - luma)) <= 0.03
    assert negative(negative(fingerprint(luma))) == fingerprint(luma)


def test_orientations_are_the_dihedral_group(fingerprints):
    f = fingerprints[3]
    small = np.arange(6).reshape(2, 3)
    for first, second in itertools.product(ORIENTATIONS, repeat=2):
        twice = orient(orient(small, first), second)
        (once,) = [o for o in ORIENTATIONS if np.array_equal(orient(small, o), twice)]
        assert permute(permute(f, first), second) == permute(f, once)
    assert len({permute(f, o) for o in ORIENTATIONS}) == 8


def test_orientations_are_what_numpy_says():
    small = np.arange(6).reshape(2, 3)
    assert np.array_equal(orient(small, "rot90cw"), np.rot90(small, -1))
    assert np.array_equal(orient(small, "rot90ccw"), np.rot90(small))
    assert np.array_equal(orient(small, "rot180"), np.rot90(small, 2))
    assert np.array_equal(orient(small, "hflip"), np.fliplr(small))
    assert np.array_equal(orient(small, "vflip"), np.flipud(small))
    assert np.array_equal(orient(small, "transpose"), small.T)
    assert np.array_equal(orient(small, "antitranspose"), np.rot90(small, 2).T)
