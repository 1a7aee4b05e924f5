"""Photos for the tests, and what a store would hold of them."""

import numpy as np
import pytest

from srpitp_fingerprint import describe, extract


def make_photo(seed, height=240, width=320):
    """Blurred noise with sharp shapes in it: textured as photos are, and full of corners."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (7, 9)).astype(np.float32)
    y, x = np.linspace(0, 6, height), np.linspace(0, 8, width)
    top, left = np.minimum(y.astype(int), 5), np.minimum(x.astype(int), 7)
    fy, fx = (y - top)[:, None], (x - left)[None, :]
    corner = [coarse[np.ix_(top + i, left + j)] for i in (0, 1) for j in (0, 1)]
    smooth = (corner[0] * (1 - fy) + corner[2] * fy) * (1 - fx)
    picture = smooth + (corner[1] * (1 - fy) + corner[3] * fy) * fx
    for _ in range(160):
        h, w = random.integers(4, 30, 2)
        row, column = random.integers(0, height - h), random.integers(0, width - w)
        picture[row : row + h, column : column + w] += random.integers(-90, 90)
    return np.clip(picture, 0, 255).astype(np.uint8)


def stored(description, id_, *tags, **more):
    """What the store holds of an image: its document, without what matching does not read."""
    of = description.extraction
    tags = tags or ("other",)
    return {
        "_id": id_,
        "tag": tags[0],
        "tags": [{"tag": tag, "confidence": 0.5} for tag in tags],
        "owner_id": f"owner-of-{id_}",
        "title": f"Photo {id_}",
        "image_address": f"http://site.example/{id_}.jpg",
        "digest": of.digest,
        "textureless": of.textureless,
        "profile": of.profile,
        "fp_version": of.fp_version,
        "views": [
            {"name": v.name, "fingerprint": v.fingerprint, "sketch": v.sketch} for v in of.views
        ],
        "panels": [stored_panel(panel.extraction) for panel in description.panels],
    } | more


def stored_panel(of):
    return {
        "digest": of.digest,
        "width": of.width,
        "height": of.height,
        "quality": of.quality,
        "textureless": of.textureless,
        "views": [
            {"name": v.name, "fingerprint": v.fingerprint, "sketch": v.sketch} for v in of.views
        ],
    }


@pytest.fixture(scope="session")
def photo():
    return make_photo


@pytest.fixture(scope="session")
def document():
    return stored


@pytest.fixture(scope="session")
def protected():
    """Twelve photos that are registered."""
    return [describe(make_photo(seed)) for seed in range(12)]


@pytest.fixture(scope="session")
def paper_extract():
    def extracted(picture):
        return extract(picture, profile="paper", views="K1")

    return extracted
