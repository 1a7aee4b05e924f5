import numpy as np
import pytest

from srpitp_fingerprint import extract

ROWS, COLUMNS = np.indices((240, 320))
NOISE = np.random.default_rng(0).normal(size=(240, 320))


@pytest.mark.parametrize(
    "pixels",
    [
        pytest.param(np.full((240, 320), 180), id="plain"),
        pytest.param(ROWS, id="gradient down"),
        pytest.param((ROWS + COLUMNS) * 0.45, id="gradient across"),
        pytest.param(128 + 20 * NOISE, id="noise"),
        pytest.param(np.where(ROWS < 140, 200, 60), id="horizon"),
        pytest.param(np.where(COLUMNS // 20 % 2, 0, 255), id="stripes"),
    ],
)
def test_textureless_pictures_are_known(pixels):
    e = extract(np.clip(pixels, 0, 255).astype(np.uint8))
    assert e.textureless
    assert 0 <= e.quality < 0.5


def test_photos_have_texture(photo_bytes):
    e = extract(photo_bytes)
    assert not e.textureless
    assert 0.8 < e.quality <= 1
