import hashlib
import re

import cv2
import numpy as np
import pytest

import srpitp_fingerprint
from srpitp_fingerprint import (
    FP_VERSION,
    EmptyImageError,
    ImageTooLargeError,
    Limits,
    TooManyPixelsError,
    UnsupportedImageError,
    describe,
    distance,
    extract,
)
from srpitp_fingerprint.decode import DETAILED, decode


def fingerprint(data):
    return extract(data).views[0].fingerprint


@pytest.fixture(scope="module")
def rgb(scene):
    return np.stack([scene(150, 200, seed) for seed in (1, 2, 3)], axis=-1)


def encoded(kind, pixels):
    done, data = cv2.imencode(kind, pixels)
    assert done
    return data.tobytes()


def test_tells_all_about_a_file(image_files):
    path = image_files["baseline.jpg"]
    e = extract(path)
    assert e.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (e.width, e.height, e.format, e.frames) == (150, 100, "jpeg", 1)
    assert (e.profile, e.fp_version) == ("robust", FP_VERSION)
    views = [(view.name, len(view.fingerprint), len(view.sketch)) for view in e.views]
    assert views[0] == ("whole", 180, 32)
    assert len(extract(path, views="K1").views) == 1
    assert extract(str(path)) == extract(path.read_bytes()) == e
    assert extract(path, profile="paper").views != e.views


def test_digest_of_an_array_tells_type_and_shape():
    pixels = np.zeros((2, 3), np.uint8)
    assert extract(pixels).digest == hashlib.sha256(b"uint8 (2, 3)" + bytes(6)).hexdigest()
    assert extract(pixels).digest != extract(pixels.T).digest
    assert extract(pixels).format == "array"


@pytest.mark.parametrize("kind", [".png", ".bmp", ".tiff", ".webp"])
def test_lossless_files_give_the_bytes_of_their_pixels(rgb, kind):
    assert fingerprint(encoded(kind, rgb[..., ::-1])) == fingerprint(rgb)


@pytest.mark.parametrize("kind", [".png", ".tiff"])
def test_sixteen_bits_are_eight(rgb, kind):
    deep = rgb.astype(np.uint16) * 257
    assert fingerprint(deep) == fingerprint(rgb)
    assert fingerprint(encoded(kind, deep[..., ::-1])) == fingerprint(rgb)


def test_grey_comes_in_three_shapes(rgb):
    grey = rgb[..., 0]
    assert fingerprint(grey) == fingerprint(grey[..., None])
    assert fingerprint(grey) == fingerprint(np.stack([grey] * 3, axis=-1))


@pytest.mark.parametrize("kind", [".png", ".tiff", ".webp", ".avif"])
def test_transparent_is_over_white(rgb, scene, kind):
    alpha = scene(150, 200, 4)[..., None]
    over_white = np.rint((rgb * (alpha / 255)) + 255 - alpha).astype(np.uint8)
    rgba = np.concatenate([rgb, alpha], axis=-1)
    assert distance(fingerprint(rgba), fingerprint(over_white)) <= 0.01
    stored = rgba if kind != ".tiff" else np.concatenate([over_white - 255 + alpha, alpha], axis=-1)
    data = encoded(kind, cv2.cvtColor(stored.astype(np.uint8), cv2.COLOR_RGBA2BGRA))
    assert distance(fingerprint(data), fingerprint(over_white)) <= 0.03


@pytest.mark.parametrize("more", [0, 1])
@pytest.mark.parametrize("halvings", [1, 2, 3])
def test_reduced_decoding_changes_little(scene, halvings, more):
    """Also where the last row and column of the reduced picture are mostly empty."""
    luma = scene((180 << halvings) + more, (220 << halvings) + more)
    data = encoded(".jpg", luma)
    assert decode(data, Limits()).halvings == halvings
    assert distance(fingerprint(data), fingerprint(luma)) <= 0.01


def test_a_picture_that_is_described_is_fingerprinted_the_same(scene):
    data = encoded(".jpg", scene(375, 500))
    assert decode(data, Limits()).halvings > decode(data, Limits(), DETAILED).halvings
    assert describe(data).extraction == extract(data)


@pytest.mark.parametrize(
    ("data", "limits", "error"),
    [
        (b"", Limits(), EmptyImageError),
        (b"four", Limits(max_bytes=3), ImageTooLargeError),
        (np.zeros((0, 5), np.uint8), Limits(), EmptyImageError),
        (np.zeros(0, np.uint8), Limits(), EmptyImageError),
        (np.zeros((5, 5), np.uint8), Limits(max_pixels=24), TooManyPixelsError),
        (np.zeros((5, 5), np.float32), Limits(), UnsupportedImageError),
        (np.zeros((5, 5, 2), np.uint8), Limits(), UnsupportedImageError),
        (np.zeros((5, 5, 3, 1), np.uint8), Limits(), UnsupportedImageError),
    ],
)
def test_refuses(data, limits, error):
    with pytest.raises(error):
        extract(data, limits=limits)


def test_reads_no_more_of_a_file_than_the_limit(image_files):
    with pytest.raises(ImageTooLargeError) as caught:
        extract(image_files["baseline.jpg"], limits=Limits(max_bytes=100))
    assert caught.value.code == "image_too_large"


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        extract(tmp_path / "none.jpg")


def test_everything_public_is_there():
    assert all(hasattr(srpitp_fingerprint, name) for name in srpitp_fingerprint.__all__)
    codes = [
        error.code
        for error in vars(srpitp_fingerprint).values()
        if isinstance(error, type) and issubclass(error, srpitp_fingerprint.ImageError)
    ]
    assert len(codes) == len(set(codes)) == 6
    assert all(re.fullmatch("image_[a-z_]+", code) for code in codes)
