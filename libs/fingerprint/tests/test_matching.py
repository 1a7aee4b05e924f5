"""The cascade, on pictures with corners: scenes under a pattern of squares."""

from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
import pytest

from srpitp_fingerprint import (
    ORIENTATIONS,
    Gallery,
    LocalFeatures,
    Steps,
    Verdict,
    candidates,
    candidates_of_each,
    describe,
    extract,
    local_features,
    match,
    panels_of,
    verify,
)
from srpitp_fingerprint.features import features_of_both_sides, features_of_luma
from srpitp_fingerprint.panels import panel_boxes
from srpitp_fingerprint.trimming import Box


def photo(seed, height=240, width=320):
    """Make a picture with many corners; integers only."""
    random = np.random.default_rng(seed)
    picture = np.full((height, width), 120, np.uint8)
    for _ in range(140):
        y, x, h, w = random.integers(0, [height, width, 60, 60])
        picture[y : y + h + 4, x : x + w + 4] = random.integers(0, 256)
    return cv2.GaussianBlur(picture, (5, 5), 1)


PHOTOS = [photo(seed) for seed in range(30)]


class Protected(NamedTuple):
    gallery: Gallery
    features: dict


def protect(descriptions):
    features = {place: one.features for place, one in enumerate(descriptions)}
    return Protected(Gallery(descriptions), features)


@pytest.fixture(scope="module")
def protected():
    return protect([describe(one) for one in PHOTOS])


def collage(*four):
    return np.vstack([np.hstack(four[:2]), np.hstack(four[2:])])


def jpeg(picture, quality=70):
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


DARKER = np.rint(255 * (np.arange(256) / 255) ** 2.5).astype(np.uint8)
COPIES = {
    "same": PHOTOS[7],
    "jpeg": cv2.imdecode(np.frombuffer(jpeg(PHOTOS[7], 25), np.uint8), 0),
    "crop": PHOTOS[7][40:200, 70:300],
    "mirrored crop": PHOTOS[7][30:200, 50:300, ][:, ::-1],
    "turned": np.rot90(PHOTOS[7]),
    "negative": 255 - PHOTOS[7],
    "other tones": cv2.equalizeHist(cv2.LUT(PHOTOS[7], DARKER)),
    "bars": cv2.copyMakeBorder(PHOTOS[7], 50, 70, 0, 0, cv2.BORDER_CONSTANT, value=0),
    "collage": collage(photo(91), PHOTOS[7], photo(92), photo(93)),
    "beside": np.hstack([photo(94), PHOTOS[7]]),
}  # fmt: skip


def similar(picture, protected, steps=None):
    described = describe(np.ascontiguousarray(picture), detected=True)
    found = match(described, protected.gallery, steps or Steps(), features=protected.features)
    return [one for one in found if one.verdict is not Verdict.DISTINCT]


@pytest.mark.parametrize("name", COPIES)
def test_copies_are_found_and_nothing_else(protected, name):
    assert [one.place for one in similar(COPIES[name], protected)] == [7]


@pytest.mark.parametrize("seed", range(40, 60))
def test_strangers_are_not(protected, seed):
    assert similar(photo(seed), protected) == []


def test_same_pixels_are_exact(protected):
    [found] = similar(PHOTOS[3], protected)
    assert (found.place, found.verdict, found.distance) == (3, Verdict.EXACT, 0)


def test_all_copies_in_a_collage_are_found(protected):
    picture = collage(*PHOTOS[10:14])
    assert {one.place for one in similar(picture, protected)} == {10, 11, 12, 13}


def test_withheld_features_leave_the_fingerprints_to_decide():
    hash_only = protect([replace(describe(one), features=None) for one in PHOTOS])
    steps = Steps(orientations=ORIENTATIONS)
    for name in ("jpeg", "turned", "negative", "other tones", "bars"):
        assert [one.place for one in similar(COPIES[name], hash_only, steps)] == [7]
    assert similar(COPIES["collage"], hash_only, replace(steps, panels=False)) == []


@pytest.mark.parametrize("off", ["fingerprints", "sketches", "index", "verification", "panels"])
def test_each_step_can_be_left_out(protected, off):
    assert [one.place for one in similar(PHOTOS[5], protected, Steps(**{off: False}))] == [5]


def test_collage_needs_points_or_panels(protected):
    steps = Steps(index=False, panels=False)
    assert similar(COPIES["collage"], protected, steps) == []


def test_empty_gallery_finds_nothing():
    assert match(describe(PHOTOS[0], detected=True), Gallery(), features={}) == []


def test_textureless_pictures_match_for_exact_only():
    plain = [np.full((80, 100), grey, np.uint8) for grey in (90, 100)]
    protected = protect([describe(one) for one in plain])
    assert [one.place for one in similar(plain[1], protected)] == [1]
    assert similar(np.full((80, 100), 97, np.uint8), protected) == []


def test_many_at_once_find_what_each_finds(protected):
    images = [
        describe(one, detected=True)
        for one in [*COPIES.values(), photo(91), np.zeros((9, 9), np.uint8)]
    ]
    for steps in (Steps(), Steps(fingerprints=False), Steps(panels=False)):
        each = [candidates(one, protected.gallery, steps) for one in images]
        assert candidates_of_each(images, protected.gallery, steps) == each
    assert candidates_of_each([], protected.gallery) == []
    assert candidates_of_each(images, Gallery()) == [[] for _ in images]


def test_results_repeat_for_any_number_of_threads(protected):
    threads = cv2.getNumThreads()
    try:
        seen = set()
        for count in (1, 4):
            cv2.setNumThreads(count)
            best = similar(COPIES["crop"], protected)[0]
            seen.add((best.score, best.verification.transform.tobytes()))
    finally:
        cv2.setNumThreads(threads)
    assert len(seen) == 1


def test_verification_tells_the_transform():
    a, b = (
        local_features(np.ascontiguousarray(PHOTOS[7][40:200, 70:300])),
        local_features(PHOTOS[7]),
    )
    found = verify(a, b)
    assert found.inliers > 30
    assert found.agreement > 0.6
    assert found.overlap == pytest.approx(160 * 230 / (240 * 320), abs=0.06)
    corners = found.transform @ np.array([[0, 0, 1], [1, 1, 1]]).T
    expected = np.array([[70 / 320, 40 / 240], [300 / 320, 200 / 240]]).T
    np.testing.assert_allclose(corners, expected, atol=0.01)


def test_verification_of_strangers_is_low():
    found = verify(local_features(photo(51)), local_features(photo(52)))
    assert found.inliers < 8
    assert found.score < 0


def sky(seed):
    """Draw faint clouds on a sky that grows lighter towards the ground, and a mark."""
    clouds = np.random.default_rng(seed).normal(0, 6, (6, 8))
    picture = cv2.resize(clouds, (320, 240), interpolation=cv2.INTER_CUBIC)
    picture = (picture + np.linspace(60, 200, 240)[:, None]).clip(0, 255).astype(np.uint8)
    return cv2.putText(picture, "SKY", (200, 200), cv2.FONT_HERSHEY_SIMPLEX, 1.4, 0, 3)


@pytest.mark.parametrize("seed", range(4))
def test_skies_agree_in_their_mark_only(seed):
    found = verify(local_features(sky(seed)), local_features(sky(seed + 1)))
    assert found.inliers > 50
    assert found.overlap > 0.9
    assert found.agreement < 0.6
    assert found.worst < 0.2


def closeness(points):
    """Move some points of a picture at random, and say how near they seem, on average."""
    features = local_features(PHOTOS[3])
    some = replace(features, **{
        name: getattr(features, name)[:: len(features) // points][:points]
        for name in ("points", "octaves", "angles", "descriptors")
    })  # fmt: skip
    found = []
    for seed in range(40):
        moved = some.points + np.random.default_rng(seed).normal(0, 1, some.points.shape)
        seen = verify(some, replace(some, points=moved.astype(np.float32)))
        found += [seen.closeness] if seen.inliers else []
    return np.mean(found)


def test_few_points_seem_no_nearer_than_many():
    assert closeness(4) == pytest.approx(closeness(40), abs=0.1)


def portrait(seed):
    """Draw a face, and its background, of a pose that all of them have."""
    random = np.random.default_rng(seed)

    def clouds(level, spread, cell):
        grid = random.normal(level, spread, (300 // cell, 240 // cell))
        return cv2.resize(grid, (240, 300), interpolation=cv2.INTER_CUBIC)

    def at(x, y):
        return round(x + random.normal(0, 2)), round(y + random.normal(0, 2))

    picture = clouds(150, 14, 10)
    cv2.ellipse(picture, at(120, 150), (70, 95), 0, 0, 360, 190, -1)
    for x in (90, 150):
        cv2.ellipse(picture, at(x, 130), (13, 7), 0, 0, 360, 240, -1)
        cv2.circle(picture, at(x, 130), 6, 30, -1)
        cv2.line(picture, at(x - 18, 110), at(x + 18, 108), 50, 5)
    cv2.line(picture, at(120, 140), at(116, 175), 120, 3)
    cv2.ellipse(picture, at(120, 200), (26, 8), 0, 0, 360, 90, -1)
    return (picture + clouds(0, 8, 4)).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("seed", range(6))
def test_points_of_a_pose_are_less_distinct_than_those_of_a_copy(seed):
    mine = local_features(portrait(seed))
    copy = verify(local_features(cv2.GaussianBlur(portrait(seed), (0, 0), 1)), mine)
    other = verify(local_features(portrait(seed + 1)), mine)
    assert copy.distinctness > 0.3
    assert 0 <= other.distinctness < copy.distinctness - 0.05
    assert other.score < copy.score - 5


def test_mirrored_features_are_those_of_the_mirrored_picture():
    luma, box = np.pad(photo(3), 20), Box(20 / 280, 260 / 280, 20 / 360, 1)
    upright, mirrored = features_of_both_sides(luma, box)
    flipped = np.ascontiguousarray(luma[:, ::-1])
    direct = features_of_luma(flipped, Box(20 / 280, 260 / 280, 0, 340 / 360))
    assert upright.to_bytes() == features_of_luma(luma, box).to_bytes()
    assert mirrored.to_bytes() == direct.to_bytes()


def test_features_survive_packing():
    features = local_features(PHOTOS[2])
    packed = features.to_bytes()
    again = LocalFeatures.from_bytes(packed)
    assert again.to_bytes() == packed
    assert len(packed) < 17_000
    for name in ("points", "octaves", "angles", "descriptors", "thumbnail"):
        np.testing.assert_array_equal(getattr(again, name), getattr(features, name))
    assert verify(again, features).inliers == len(features)


@pytest.mark.parametrize("packed", [b"", b"\x02" + bytes(40), bytes([1, 9]) + bytes(30)])
def test_other_bytes_are_no_features(packed):
    with pytest.raises(ValueError, match="local features"):
        LocalFeatures.from_bytes(packed)


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (20, 20), (3000, 2)])
def test_any_picture_can_be_described(size):
    described = describe(np.zeros(size, np.uint8), detected=True)
    assert len(described.features) == 0
    assert verify(described.features, described.features).inliers == 0


def test_panels_lie_between_seams(scene):
    tiles = [scene(240, 320, seed) // 6 + np.uint8(60 * seed) for seed in range(4)]
    boxes = panel_boxes(np.vstack([np.hstack(tiles[:2]), np.hstack(tiles[2:])]))
    corners = {(round(2 * box.top), round(2 * box.left)) for box in boxes if box.rows < 0.6}
    assert {(0, 0), (0, 1), (1, 0), (1, 1)} <= corners
    assert len(boxes) <= 6
    assert panel_boxes(scene(400, 520, 3)) == []


def test_panels_are_cut_out_of_grey_and_colour():
    grey = collage(*PHOTOS[:4])
    panels = panels_of(grey)
    assert len(panels) == len(panel_boxes(grey)) >= 2
    assert [one.shape for one in panels_of(np.dstack([grey] * 3))] == [
        (*one.shape, 3) for one in panels
    ]
    assert panels_of(np.zeros((9, 9), np.uint8)) == []


def test_gallery_tells_whose_fingerprints_are_equal(protected):
    again = describe(jpeg(PHOTOS[4], 100))
    assert protected.gallery.exact(describe(PHOTOS[4])) == [4]
    assert protected.gallery.exact(again) in ([], [4])
    assert extract(PHOTOS[4]).digest != again.extraction.digest


def marked(picture):
    """Write the same watermark across a picture."""
    picture = picture.copy()
    for y in (80, 180):
        cv2.putText(picture, "SAMPLE STOCK", (10, y), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 255, 2)
    return picture


def test_common_watermark_makes_no_copy():
    protected = protect([describe(marked(one)) for one in PHOTOS[:10]])
    for seed in range(70, 76):
        assert similar(marked(photo(seed)), protected) == []
    assert [one.place for one in similar(marked(PHOTOS[4])[30:, 40:], protected)] == [4]
