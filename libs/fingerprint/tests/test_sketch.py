import numpy as np
import pytest

from srpitp_fingerprint import ORIENTATIONS, SKETCH_BYTES, extract, sketch_distance
from srpitp_fingerprint.orientation import orient
from srpitp_fingerprint.sketch import negative_sketch, orient_sketch


def sketch_of(picture):
    return extract(np.ascontiguousarray(picture), views="K1").views[0].sketch


def test_other_pictures_differ_in_half_of_the_bits(scene):
    a, b = sketch_of(scene(90, 120, 1)), sketch_of(scene(90, 120, 8))
    assert len(a) == SKETCH_BYTES
    assert sketch_distance(a, a) == 0
    assert sketch_distance(a, b) == sketch_distance(b, a) > 0.3


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_orientation_needs_no_picture(scene, orientation):
    picture = scene(216, 216, 5)
    turned = sketch_of(orient(picture, orientation))
    assert sketch_distance(orient_sketch(sketch_of(picture), orientation), turned) <= 0.05


def test_negative_needs_no_picture(scene):
    picture = scene(100, 140, 5)
    assert sketch_distance(negative_sketch(sketch_of(picture)), sketch_of(255 - picture)) <= 0.03
