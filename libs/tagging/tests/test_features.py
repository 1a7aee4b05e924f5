"""The network: what it computes, and the same by whatever runs it."""

import cv2
import numpy as np
import pytest
from skimage import data

from srpitp_tagging import FEATURES, features_of, opened, read_weights
from srpitp_tagging.features import prepared

_CATS = range(281, 294)  # of the thousand classes of ImageNet


def test_the_network_knows_what_it_was_trained_on(weights_file, classifier):
    weights = read_weights(weights_file)
    cat = cv2.cvtColor(data.chelsea(), cv2.COLOR_RGB2BGR)
    classes = weights["_fc.weight"] @ classifier(prepared(cat))[0] + weights["_fc.bias"]
    assert set(np.argsort(classes)[-3:]) <= set(_CATS)


def test_both_runtimes_give_the_same(model, classifier, pictures):
    pytest.importorskip("onnxruntime")
    other = opened(model, "onnxruntime")
    for picture in map(prepared, pictures):
        assert np.abs(classifier(picture) - other(picture)).max() < 1e-5


def test_a_batch_gives_what_each_picture_gives(classifier, pictures):
    together = features_of(pictures, classifier)
    for features, picture in zip(together, pictures, strict=True):
        np.testing.assert_array_equal(features_of([picture], classifier)[0], features)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, rtol=1e-5)
    assert features_of([], classifier).shape == (0, FEATURES)


def test_grey_is_the_colour_grey(classifier, pictures):
    grey = pictures[3]
    colour = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    np.testing.assert_array_equal(
        features_of([grey], classifier), features_of([colour], classifier)
    )


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((4, 4), np.float32), np.zeros((4, 4, 4), np.uint8), np.zeros((4,), np.uint8)],
)
def test_pixels_of_another_kind_are_refused(classifier, pixels):
    with pytest.raises(ValueError, match="give 8 bits, grey or BGR"):
        features_of([pixels], classifier)
