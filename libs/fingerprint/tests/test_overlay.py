"""Pictures drawn aligned: the common part lies upon itself, whatever was done to the copy."""

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from srpitp_fingerprint import ImageError, describe, verify
from srpitp_fingerprint.orientation import ORIENTATIONS, STEPS, Orientation, orient
from srpitp_fingerprint.overlay import DRAWINGS, Placement, draw_aligned

Pixels = NDArray[np.uint8]
GAP = 12


def picture(width: int = 480, height: int = 360, seed: int = 3) -> Pixels:
    random = np.random.default_rng(seed)
    pixels = np.zeros((height, width, 3), np.float32)
    for cells, strength in ((3, 0.5), (9, 0.3), (30, 0.2)):
        coarse = random.random((cells, cells, 3), np.float32) * 255
        pixels += strength * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def png(pixels: NDArray[Any]) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


def halves(drawn: Pixels) -> tuple[Pixels, Pixels]:
    width = (drawn.shape[1] - GAP) // 2
    return drawn[:, :width], drawn[:, -width:]


def apart(drawn: Pixels) -> float:
    """Mean difference of the halves, away from their edges."""
    left, right = (half[8:-8, 8:-8].astype(np.float32) for half in halves(drawn))
    return float(np.abs(left - right).mean())


def test_the_same_picture_lies_upon_itself() -> None:
    data = png(picture())
    drawn = draw_aligned(data, data, side=300)
    assert drawn.shape == (225, 300 + GAP + 300, 3)
    assert apart(drawn) == 0
    assert not draw_aligned(data, data, kind="difference", side=300).any()
    overlaid = draw_aligned(data, data, kind="overlay", side=300)
    assert np.abs(overlaid.astype(int) - halves(drawn)[0]).max() <= 1


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_turned_copy_is_turned_back(orientation: Orientation) -> None:
    original = picture()
    exchange, rows, columns = STEPS[orientation]
    turned = original[::rows, ::columns]
    copy = np.ascontiguousarray(turned.swapaxes(0, 1) if exchange else turned)
    assert np.array_equal(orient(copy, orientation), original)
    drawn = draw_aligned(png(copy), png(original), Placement(orientation), side=300)
    assert apart(drawn) < 1


@settings(deadline=None, max_examples=20)
@given(
    st.floats(0, 0.5), st.floats(0, 0.5), st.floats(0.3, 0.5), st.floats(0.3, 2.5), st.booleans()
)
def test_a_scaled_part_is_laid_where_it_was(
    left: float, top: float, share: float, scale: float, flipped: bool
) -> None:
    original = picture()
    height, width = original.shape[:2]
    x, y = round(left * width), round(top * height)
    wide, high = round(share * width), round(share * height)
    part = original[y : y + high, x : x + wide]
    copy = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    placement = Placement(
        "hflip" if flipped else "identity",
        ((wide / width, 0.0, x / width), (0.0, high / height, y / height)),
    )
    copy = np.ascontiguousarray(copy[:, ::-1]) if flipped else copy
    drawn = draw_aligned(png(copy), png(original), placement, side=200)
    assert apart(drawn) < 6


def test_what_a_verification_found_can_be_drawn() -> None:
    original = picture(seed=8)
    turn = cv2.getRotationMatrix2D((240, 180), 7, 1.1)
    copy = np.asarray(cv2.warpAffine(original, turn, (480, 360)), np.uint8)
    protected, detected = describe(original), describe(copy, detected=True)
    assert protected.features
    assert detected.features
    found = verify(detected.features, protected.features)
    assert found.transform is not None
    a, b = (tuple(row) for row in found.transform.tolist())
    drawn = draw_aligned(png(copy), png(original), Placement(transform=(a, b)), "overlay")
    unaligned = draw_aligned(png(copy), png(original), kind="difference")
    aligned = draw_aligned(png(copy), png(original), Placement(transform=(a, b)), "difference")
    assert drawn.shape == aligned.shape
    assert aligned.mean() < unaligned.mean() / 2


def test_a_negative_is_turned_into_a_positive() -> None:
    original = picture()
    drawn = draw_aligned(png(255 - original), png(original), Placement(negative=True), side=300)
    assert apart(drawn) < 1


def test_a_change_of_brightness_is_no_difference() -> None:
    original = (picture() // 2 + 30).astype(np.uint8)
    drawn = draw_aligned(png(original + 40), png(original), kind="difference")
    assert drawn.max() <= 3


@pytest.mark.parametrize("kind", DRAWINGS)
@pytest.mark.parametrize(
    "transform",
    [
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
        ((1.0, 0.0, 5.0), (0.0, 1.0, 5.0)),
        ((float("nan"), 0.0, 0.0), (0.0, 1.0, 0.0)),
        ((float("inf"), 0.0, 0.0), (0.0, 1.0, 0.0)),
        ((1e300, 0.0, 0.0), (0.0, 1e300, 0.0)),
        ((1e5, 0.0, -5e4), (0.0, 1e5, -5e4)),
        ((1e-9, 0.0, 0.5), (0.0, 1e-9, 0.5)),
        ((-1.0, 0.0, 1.0), (0.0, 1.0, 0.0)),
    ],
)
def test_any_transform_gives_a_picture_of_a_bounded_size(kind: Any, transform: Any) -> None:
    data = png(picture())
    drawn = draw_aligned(data, data, Placement(transform=transform), kind, side=200)
    assert drawn.dtype == np.uint8
    assert drawn.shape[2] == 3
    assert max(drawn.shape) <= 2 * 200 + GAP


@pytest.mark.parametrize("kind", DRAWINGS)
@pytest.mark.parametrize("size", [(1, 1), (3000, 2), (2, 3000)])
def test_pictures_of_any_shape(kind: Any, size: tuple[int, int]) -> None:
    thin = np.zeros((*size, 3), np.uint8)
    drawn = draw_aligned(png(thin), png(picture()), kind=kind, side=200)
    assert max(drawn.shape) <= 2 * 200 + GAP
    assert min(draw_aligned(png(picture()), png(thin), kind=kind, side=200).shape) >= 1


def test_what_is_no_image_is_said() -> None:
    with pytest.raises(ImageError):
        draw_aligned(b"no image", png(picture()))
