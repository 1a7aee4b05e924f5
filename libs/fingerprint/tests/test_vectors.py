"""Golden vectors in two tiers: exact bytes from equal pixels, a small distance from files.

`vectors/make_vectors.py` writes them anew; that is a new `FP_VERSION`.
"""

import json
from pathlib import Path

import pytest

from srpitp_fingerprint import distance, extract

VECTORS = Path(__file__).parent / "vectors"
LUMA = json.loads((VECTORS / "luma.json").read_text())
FILES = json.loads((VECTORS / "files.json").read_text())


@pytest.mark.parametrize("vector", LUMA, ids=lambda v: f"{v['height']}x{v['width']}")
@pytest.mark.parametrize("profile", ["paper", "robust"])
def test_equal_pixels_give_equal_bytes(scene, vector, profile):
    luma = scene(vector["height"], vector["width"], vector["seed"])
    assert extract(luma, profile=profile).views[0].fingerprint.hex() == vector[profile]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("profile", ["paper", "robust"])
def test_files_are_near_through_any_decoder(image_files, name, profile):
    expected = FILES[name]
    e = extract(image_files[name], profile=profile)
    assert [e.width, e.height, e.format, e.frames] == expected["about"]
    assert distance(e.views[0].fingerprint, bytes.fromhex(expected[profile])) <= 0.01


def test_every_file_has_its_vector(image_files):
    assert set(FILES) == set(image_files)
