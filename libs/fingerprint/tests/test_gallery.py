"""A gallery that grew, lost pictures and was compacted finds what one made at once finds."""

from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srpitp_fingerprint import (
    Description,
    Gallery,
    Steps,
    View,
    candidates,
    decide,
    describe,
    match,
    search,
)


def photo(seed):
    random = np.random.default_rng(seed)
    picture = np.full((150, 200), 120, np.uint8)
    for _ in range(90):
        y, x, h, w = random.integers(0, [150, 200, 50, 50])
        picture[y : y + h + 4, x : x + w + 4] = random.integers(0, 256)
    return cv2.GaussianBlur(picture, (5, 5), 1)


PICTURES = [photo(seed) for seed in range(12)]
PROTECTED = [describe(one) for one in PICTURES]
PROTECTED[9] = PROTECTED[2]  # protected twice
DETECTED = [
    describe(np.ascontiguousarray(one), detected=True)
    for one in (
        PICTURES[2],
        PICTURES[4][10:130, 20:],
        PICTURES[5][:, ::-1],
        np.vstack([PICTURES[6], PICTURES[7]]),
        photo(99),
    )
]


def found_in(gallery, place_of):
    return [
        sorted(
            [replace(found, place=place_of[found.place]) for found in candidates(one, gallery)],
            key=repr,
        )
        for one in DETECTED
    ]


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_gallery_finds_the_same_however_it_came_to_be(data):
    grown, place_of = Gallery(), []
    for number in data.draw(st.lists(st.integers(0, 11), max_size=6), label="first"):
        assert grown.add(PROTECTED[number].extraction, PROTECTED[number].features) == len(place_of)
        place_of.append(number)
    gone = data.draw(st.sets(st.sampled_from(range(len(place_of) or 1)), max_size=4), label="gone")
    gone = sorted(place for place in gone if place < len(place_of))
    grown.remove(gone)
    more = data.draw(st.lists(st.integers(0, 11), max_size=6), label="more")
    assert grown.extend(PROTECTED[k] for k in more) == range(
        len(place_of), len(place_of) + len(more)
    )
    place_of += more
    kept = [place for place in range(len(place_of)) if place not in gone]
    left = [place_of[place] for place in kept]
    expected = found_in(Gallery(PROTECTED[number] for number in left), left)
    assert len(grown) == len(left)
    assert found_in(grown, place_of) == expected
    assert grown.compact().tolist() == kept
    assert (len(grown), grown.places) == (len(left), len(left))
    assert found_in(grown, left) == expected


@pytest.mark.parametrize("points", [True, False])
def test_both_back_ends_find_the_same(monkeypatch, points):
    pytest.importorskip("numba")
    gallery = Gallery(PROTECTED, points=points)
    found = found_in(gallery, range(12))
    monkeypatch.setattr("srpitp_fingerprint.gallery.search", partial(search, backend="numpy"))
    assert found_in(gallery, range(12)) == found


def test_two_phases_are_one_match():
    gallery = Gallery(PROTECTED)
    features = {place: one.features for place, one in enumerate(PROTECTED)}
    one = DETECTED[3]
    found = candidates(one, gallery)
    asked = {candidate.place for candidate in found if candidate.wanted}
    decided = decide(one, found, {place: features[place] for place in asked})
    expected = match(one, gallery, features=features)
    assert [(m.place, m.verdict, m.score) for m in decided] == [
        (m.place, m.verdict, m.score) for m in expected
    ]
    assert {m.place for m in decided if m.verdict == "similar"} == {6, 7}
    assert {6, 7} <= asked


def test_removed_pictures_are_not_found():
    gallery = Gallery(PROTECTED)
    features = {place: one.features for place, one in enumerate(PROTECTED)}
    assert gallery.exact(DETECTED[0]) == [2, 9]
    gallery.remove(9)
    gallery.remove([9, 4])
    rest = sum(len(PROTECTED[place].extraction.views) for place in range(12) if place not in (4, 9))
    assert (len(gallery), gallery.views) == (10, rest)
    assert gallery.exact(DETECTED[0]) == [2]
    assert 4 not in {one.place for one in match(DETECTED[1], gallery, features=features)}
    with pytest.raises(IndexError, match=r"0\.\.11"):
        gallery.remove([3, 12])
    gallery.remove(range(12))
    assert len(gallery) == 0
    assert match(DETECTED[0], gallery, features=features) == []
    assert gallery.compact().tolist() == []
    assert gallery.add(PROTECTED[3].extraction) == 0


def test_protected_picture_is_found_among_detected_ones():
    gallery = Gallery(DETECTED)
    expected = {2: {0}, 4: {1}, 5: {2}, 6: {3}, 7: {3}, 11: set()}
    for number, places in expected.items():
        alone, features = Gallery([PROTECTED[number]]), {0: PROTECTED[number].features}
        found = {
            one.place
            for one in candidates(PROTECTED[number], gallery, Steps(nearest=100, sharing=100))
            if match(DETECTED[one.place], alone, features=features)[0].verdict != "distinct"
        }
        assert found == places


def test_many_equal_pictures_are_all_found():
    gallery = Gallery([PROTECTED[1]] * 60)
    found = match(describe(PICTURES[1], detected=True), gallery, features={})
    assert [one.place for one in found if one.verdict == "exact"] == list(range(60))


def test_points_are_forgotten():
    gallery = Gallery(PROTECTED)
    gallery.forget_points()
    gallery.add(PROTECTED[0].extraction, PROTECTED[0].features)
    assert not gallery.has_points
    assert max(one.points for one in candidates(DETECTED[1], gallery)) == 0


def test_exact_means_all_of_the_digest_and_the_fingerprint():
    of = PROTECTED[0].extraction
    whole = bytes(255 - byte for byte in of.views[0].fingerprint)
    other = replace(of, views=(View("whole", whole, of.views[0].sketch),))
    same_start = replace(other, digest=of.digest[:16] + "0" * 48)
    gallery = Gallery([Description(other), Description(same_start)])
    assert gallery.exact(PROTECTED[0]) == [0]


def test_paper_profile_is_refused():
    paper = replace(PROTECTED[0], extraction=replace(PROTECTED[0].extraction, profile="paper"))
    with pytest.raises(ValueError, match="robust"):
        Gallery([paper])
