"""The definition, written down a second time: literally, in float64, and slowly."""

import cv2
import numpy as np
import pytest

from srpitp_fingerprint import a_d_elements, extract, unpack

SIZES = [(375, 500), (108, 132), (216, 264), (90, 400), (400, 90), (31, 47), (1, 1), (1, 300)]


def resize_weights(old: int, new: int) -> np.ndarray:
    """Row i: how much of each old pixel goes into new pixel i."""
    weights = np.zeros((new, old))
    for i in range(new):
        if old >= new:  # the share of each old pixel that the new one covers
            for j in range(old):
                covered = min((i + 1) * old / new, j + 1) - max(i * old / new, j)
                weights[i, j] = max(covered, 0) * new / old
        else:  # linear between the centres of old pixels, the outermost ones repeated
            centre = (i + 0.5) * old / new - 0.5
            left = int(np.floor(centre))
            weights[i, min(max(left, 0), old - 1)] += 1 - (centre - left)
            weights[i, min(max(left + 1, 0), old - 1)] += centre - left
    return weights


def smooth_rows(picture: np.ndarray, size: int, sigma: float) -> np.ndarray:
    half = size // 2
    kernel = np.exp(-(np.arange(-half, half + 1) ** 2) / (2 * sigma**2))
    padded = np.pad(picture, ((half, half), (0, 0)), mode="edge")
    return sum(
        weight * padded[k : k + len(picture)] for k, weight in enumerate(kernel / kernel.sum())
    )


def piece_mean(block: np.ndarray, row: int, column: int) -> float:
    """Mean of one of the 3 x 3 equal pieces of a 9 x 11 block."""
    total = 0.0
    for y in range(9):
        for x in range(11):
            down = min((row + 1) * 3, y + 1) - max(row * 3, y)
            across = min((column + 1) * 11 / 3, x + 1) - max(column * 11 / 3, x)
            total += max(down, 0) * max(across, 0) * block[y, x]
    return total / 11  # 3 rows of 3 2/3 columns


def slow_symbols(luma: np.ndarray, profile: str) -> list[int]:
    picture = resize_weights(luma.shape[0], 108) @ luma @ resize_weights(luma.shape[1], 132).T
    across, down = {"paper": ((3, 0.95), (3, 0.95)), "robust": ((13, 2.2), (11, 1.8))}[profile]
    picture = smooth_rows(smooth_rows(picture, *down).T, *across).T
    a_symbols, d_symbols = [], []
    for top in range(0, 108, 9):
        for left in range(0, 132, 11):
            block = picture[top : top + 9, left : left + 11]
            piece = {(r, c): piece_mean(block, r, c) for r in range(3) for c in range(3)}
            opposite = [((0, 0), (2, 2)), ((0, 1), (2, 1)), ((0, 2), (2, 0)), ((1, 0), (1, 2))]
            a = round(sum(piece[p] + piece[q] for p, q in opposite) / 8, 6)
            a_symbols.append(0 if a <= 64 else 1 if a <= 128 else 2 if a <= 192 else 3)
            for p, q in opposite:
                d = round(piece[p] - piece[q], 6)
                d_symbols.append(0 if d < -4 else 1 if d < 0 else 2 if d <= 4 else 3)
    return a_symbols + d_symbols


@pytest.mark.parametrize("profile", ["paper", "robust"])
@pytest.mark.parametrize("size", SIZES)
def test_is_the_literal_definition_up_to_rounding(scene, size, profile):
    luma = scene(*size)
    symbols = unpack(extract(luma, profile=profile).views[0].fingerprint)
    assert np.mean(symbols != slow_symbols(luma, profile)) <= 0.01


def test_elements_are_grey_levels():
    a, d = a_d_elements(np.full((50, 70), 200, np.uint8), "paper")
    assert a.shape == (12, 12)
    assert d.shape == (12, 12, 4)
    assert (a == 200).all()
    assert (d == 0).all()


def test_differences_point_the_way_of_the_paper():
    rising_down = np.repeat(np.arange(0, 216, 2, dtype=np.uint8)[:, None], 132, axis=1)
    _, d = a_d_elements(rising_down, "paper")
    inner = d[1:-1, 1:-1].reshape(-1, 4)
    # 6 rows lie between the centres of the top and the bottom pieces, 2 grey levels each.
    np.testing.assert_allclose(inner, np.tile([-12, -12, -12, 0], (100, 1)), atol=0.1)


def test_bytes_are_the_same_every_time_and_for_any_number_of_threads(scene):
    luma = scene(1500, 2000)
    threads = cv2.getNumThreads()
    try:
        found = set()
        for count in (1, 2, 7):
            cv2.setNumThreads(count)
            found |= {extract(luma).views[0].fingerprint for _ in range(2)}
    finally:
        cv2.setNumThreads(threads)
    assert len(found) == 1


def test_thin_picture_of_the_greatest_length_costs_no_memory():
    e = extract(np.zeros((1, 10_000_000), np.uint8))
    assert (e.width, e.height, e.textureless) == (10_000_000, 1, True)


def test_unknown_profile_is_refused(scene):
    with pytest.raises(ValueError, match="profile"):
        extract(scene(9, 9), profile="fast")
