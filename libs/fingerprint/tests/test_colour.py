"""Decoding in colour: small, upright, over white, and with the same limits."""

import cv2
import numpy as np
import pytest

from srpitp_fingerprint import (
    BrokenImageError,
    EmptyImageError,
    ImageTooLargeError,
    Limits,
    TooManyPixelsError,
    UnsupportedImageError,
    decode_colour,
)


def encoded(kind, pixels, *settings):
    done, data = cv2.imencode(kind, pixels, settings)
    assert done
    return data.tobytes()


@pytest.fixture(scope="module")
def bgr(scene):
    return np.stack([scene(150, 200, seed) for seed in (1, 2, 3)], axis=-1)


@pytest.mark.parametrize("kind", [".png", ".bmp", ".tiff", ".webp"])
def test_a_lossless_file_gives_its_pixels(bgr, kind):
    np.testing.assert_array_equal(decode_colour(encoded(kind, bgr)), bgr)


def test_every_kind_of_file_is_decoded(image_files):
    for name, path in image_files.items():
        pixels = decode_colour(path.read_bytes())
        assert pixels.dtype == np.uint8, name
        assert pixels.ndim == 3, name
        assert pixels.shape[2] == 3, name


def test_grey_has_three_equal_colours(image_files):
    pixels = decode_colour(image_files["grey.jpg"].read_bytes())
    assert (pixels == pixels[..., :1]).all()


def test_a_turned_file_is_upright(image_files):
    turned = decode_colour(image_files["progressive_turned.jpg"].read_bytes())
    plain = cv2.imdecode(
        np.frombuffer(image_files["progressive_turned.jpg"].read_bytes(), np.uint8),
        cv2.IMREAD_COLOR,
    )
    np.testing.assert_array_equal(turned, plain)


@pytest.mark.parametrize("bits", [np.uint8, np.uint16])
def test_what_is_transparent_is_white(bgr, bits):
    most = np.iinfo(bits).max
    alpha = np.zeros((*bgr.shape[:2], 1), bits)
    alpha[:, 100:] = most
    deep = bgr.astype(bits) * (most // 255)
    pixels = decode_colour(encoded(".png", np.concatenate([deep, alpha], axis=2)))
    assert (pixels[:, :100] == 255).all()
    np.testing.assert_array_equal(pixels[:, 100:], bgr[:, 100:])


@pytest.mark.parametrize("kind", [".jpg", ".png"])
@pytest.mark.parametrize("size", [(448, 900), (2300, 1792), (223, 5000), (1700, 224)])
def test_a_large_picture_is_reduced_to_what_is_asked_for(scene, kind, size):
    width, height = size
    grey = scene(height, width)
    pixels = decode_colour(encoded(kind, cv2.merge([grey, grey, grey])), side=224)
    by = max(1, min(size) // 224)
    assert abs(pixels.shape[0] - height / by) < 1
    assert abs(pixels.shape[1] - width / by) < 1
    small = cv2.resize(grey, pixels.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - pixels[..., 1]).mean() < 3


def test_limits_and_errors_are_those_of_fingerprints(bgr):
    png = encoded(".png", bgr)
    with pytest.raises(EmptyImageError):
        decode_colour(b"")
    with pytest.raises(UnsupportedImageError):
        decode_colour(b"no image")
    with pytest.raises(ImageTooLargeError):
        decode_colour(png, limits=Limits(max_bytes=100))
    with pytest.raises(TooManyPixelsError):
        decode_colour(png, limits=Limits(max_pixels=29_999))
    with pytest.raises(BrokenImageError):
        decode_colour(png[: len(png) // 2])
