import cv2
import numpy as np
import pytest

from srpitp_fingerprint import (
    VIEW_SETS,
    decision_distance,
    distance,
    extract,
    sketch_distance,
)
from srpitp_fingerprint.elements import halved
from srpitp_fingerprint.trimming import WHOLE, content_box
from srpitp_fingerprint.views import boxes


def by_name(extraction):
    return {view.name: view for view in extraction.views}


def bordered(picture, top, bottom, left, right, grey):
    return cv2.copyMakeBorder(picture, top, bottom, left, right, cv2.BORDER_CONSTANT, value=grey)


@pytest.mark.parametrize("view_set", VIEW_SETS)
def test_sets_have_their_views_and_the_whole_first(scene, view_set):
    names = [view.name for view in extract(scene(90, 130), views=view_set).views]
    assert names[0] == "whole"
    assert set(names) <= set(VIEW_SETS[view_set])
    assert len(VIEW_SETS[view_set]) == int(view_set[1:])


def test_whole_view_is_the_same_in_every_set(scene):
    picture = scene(200, 300)
    assert len({extract(picture, views=name).views[0] for name in VIEW_SETS}) == 1


def test_equal_views_are_stored_once(scene):
    assert "trimmed" not in by_name(extract(scene(100, 100)))  # nothing to trim
    assert "square" not in by_name(extract(scene(100, 100)))
    assert "square" in by_name(extract(scene(100, 150)))


@pytest.mark.parametrize("view_set", ["K10", "Q10"])
@pytest.mark.parametrize("size", [(375, 500), (640, 480), (150, 100)])
def test_views_are_what_cropping_first_would_give(scene, size, view_set):
    picture = scene(*size, seed=4)
    views = by_name(extract(picture, views=view_set))
    for name, box in boxes(halved(picture), view_set).items():
        direct = extract(np.ascontiguousarray(box.cut(picture)), views="K1").views[0]
        assert distance(views[name].fingerprint, direct.fingerprint) <= 0.04
        assert sketch_distance(views[name].sketch, direct.sketch) <= 0.04


def test_crop_is_near_to_the_view_of_its_size(scene):
    picture = scene(300, 400, seed=2)
    views = by_name(extract(picture))
    crop = extract(picture[18:-18, 24:-24]).views[0].fingerprint
    assert decision_distance(views["centre12"].fingerprint, crop) < 0.1
    assert decision_distance(views["whole"].fingerprint, crop) > 0.15


@pytest.mark.parametrize("grey", [0, 255, 240])
@pytest.mark.parametrize("edges", [(30, 30, 0, 0), (0, 0, 40, 40), (20, 60, 35, 35), (90, 0, 0, 0)])
def test_borders_are_trimmed_through_jpeg(scene, grey, edges):
    picture = scene(240, 320, seed=3)
    framed = bordered(picture, *edges, grey)
    data = cv2.imencode(".jpg", framed, [cv2.IMWRITE_JPEG_QUALITY, 60])[1].tobytes()
    trimmed = by_name(extract(data, views="Q2"))["trimmed"].fingerprint
    assert distance(trimmed, extract(picture).views[0].fingerprint) < 0.2


def test_captions_are_trimmed(scene):
    framed = bordered(scene(240, 320, seed=3), 60, 0, 0, 0, 255)
    cv2.putText(framed, "A CAPTION", (30, 45), cv2.FONT_HERSHEY_SIMPLEX, 1.4, 0, 3)
    assert abs(content_box(framed).top * 300 - 60) <= 4


@pytest.mark.parametrize("grey", [0, 128])
def test_plain_picture_is_left_whole(grey):
    assert content_box(np.full((60, 80), grey, np.uint8)) == WHOLE


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (2, 2), (3, 900)])
def test_tiny_pictures_have_views(scene, size):
    assert extract(scene(*size), views="K10").views


def test_unknown_set_is_refused(scene):
    with pytest.raises(ValueError, match="views must be one of"):
        extract(scene(9, 9), views="K7")
