"""The definition, written down a second time: literally, in float64, and slowly."""

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from srpitp_fingerprint import a_d_elements, extract, unpack
from srpitp_fingerprint.elements import Part, halved, pieces_of_parts

ROUNDING = 0.01  # grey levels, by which weights in whole numbers differ from real ones

SIZES = [(375, 500), (108, 132), (216, 264), (90, 400), (400, 90), (31, 47), (1, 1), (1, 300)]
SIZES += [(361, 441), (367, 100), (100, 3537)]


def halve_large(luma: np.ndarray) -> np.ndarray:
    """Replace pixels by the rounded means of 2, 4, ... that leave 180 rows and 220 columns."""
    bins, rows, columns = luma.astype(int), 1, 1
    while len(bins) >= 360 or len(bins[0]) >= 440:
        down, across = 1 + (len(bins) >= 360), 1 + (len(bins[0]) >= 440)
        height, width = len(bins) // down, len(bins[0]) // across
        means = bins[: height * down, : width * across]
        means = means.reshape(height, down, width, across).mean(axis=(1, 3))
        # Halves are rounded up of four pixels, to even of two.
        bins = np.floor(means + 0.5) if down == across else np.rint(means)
        rows, columns = rows * down, columns * across
    places = [np.arange(n) // step for n, step in zip(luma.shape, (rows, columns), strict=True)]
    last = [n - 1 for n in bins.shape]
    return bins[np.ix_(*[np.minimum(p, n) for p, n in zip(places, last, strict=True)])]


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


def slow_elements(luma: np.ndarray, profile: str) -> tuple[list[float], list[float]]:
    pixels = halve_large(luma)
    picture = resize_weights(luma.shape[0], 108) @ pixels @ resize_weights(luma.shape[1], 132).T
    across, down = {"paper": ((3, 0.95), (3, 0.95)), "robust": ((13, 2.2), (11, 1.8))}[profile]
    picture = smooth_rows(smooth_rows(picture, *down).T, *across).T
    a_elements, d_elements = [], []
    for top in range(0, 108, 9):
        for left in range(0, 132, 11):
            block = picture[top : top + 9, left : left + 11]
            piece = {(r, c): piece_mean(block, r, c) for r in range(3) for c in range(3)}
            opposite = [((0, 0), (2, 2)), ((0, 1), (2, 1)), ((0, 2), (2, 0)), ((1, 0), (1, 2))]
            a_elements.append(sum(piece[p] + piece[q] for p, q in opposite) / 8)
            d_elements += [piece[p] - piece[q] for p, q in opposite]
    return a_elements, d_elements


@pytest.mark.parametrize("profile", ["paper", "robust"])
@pytest.mark.parametrize("size", SIZES)
def test_is_the_literal_definition_up_to_rounding(scene, size, profile):
    luma = scene(*size)
    a, d = slow_elements(luma, profile)
    fast = a_d_elements(luma, profile)
    np.testing.assert_allclose(fast[0].ravel(), a, atol=ROUNDING)
    np.testing.assert_allclose(fast[1].ravel(), d, atol=ROUNDING)
    symbols = unpack(extract(luma, profile=profile).views[0].fingerprint)
    literal = [0 if x <= 64 else 1 if x <= 128 else 2 if x <= 192 else 3 for x in a]
    literal += [0 if x < -4 else 1 if x < 0 else 2 if x <= 4 else 3 for x in d]
    gaps = [min(abs(x - t) for t in (64, 128, 192)) for x in a]
    gaps += [min(abs(x - t) for t in (-4, 0, 4)) for x in d]
    assert np.array(gaps)[symbols != literal].max(initial=0) <= ROUNDING


@pytest.mark.parametrize("grey", [0, 1, 77, 254, 255])
@pytest.mark.parametrize("size", [*SIZES, (2999, 4001)])
def test_a_plain_picture_is_exactly_plain(size, grey):
    a, d = a_d_elements(np.full(size, grey, np.uint8))
    assert (a == grey).all()
    assert (d == 0).all()


def test_parts_are_as_if_cut_out(scene):
    luma = scene(300, 400)
    parts = [Part(0, 0, 300, 400), Part(20, 30, 290, 371), Part(0, 0, 150, 200), Part(7, 9, 50, 60)]
    for part, pieces in zip(parts, pieces_of_parts(halved(luma), parts), strict=True):
        cut = np.ascontiguousarray(luma[part.top : part.bottom, part.left : part.right])
        direct = pieces_of_parts(halved(cut), [Part(0, 0, *cut.shape)])[0]
        assert np.abs(pieces - direct).max() < 0.2


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


PRINT_SUM = """
import hashlib, numpy as np
from srpitp_fingerprint.elements import Part, halved, pieces_of_parts
random, digest = np.random.default_rng(1), hashlib.sha256()
for height, width in [(375, 500), (359, 439), (90, 400), (1080, 1920)]:
    luma = random.integers(0, 256, (height, width), np.uint8)
    parts = [Part(0, 0, height, width), Part(9, 7, height - 20, width - 11)]
    digest.update(pieces_of_parts(halved(luma), parts).tobytes())
print(digest.hexdigest())
"""


def test_pieces_are_the_same_for_any_threads_and_processor_of_the_products():
    products = [("1", "Haswell"), ("4", "Haswell"), ("4", "Nehalem"), ("3", "")]
    found = {
        subprocess.run(  # noqa: S603
            [sys.executable, "-c", PRINT_SUM],
            env=os.environ | {"OPENBLAS_NUM_THREADS": threads, "OPENBLAS_CORETYPE": processor},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads, processor in products
    }
    assert len(found) == 1


def test_thin_picture_of_the_greatest_length_costs_no_memory():
    e = extract(np.zeros((1, 10_000_000), np.uint8))
    assert (e.width, e.height, e.textureless) == (10_000_000, 1, True)


def test_unknown_profile_is_refused(scene):
    with pytest.raises(ValueError, match="profile"):
        extract(scene(9, 9), profile="fast")
