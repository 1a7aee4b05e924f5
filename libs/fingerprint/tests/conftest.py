"""Pictures for the tests: made from integers, so that they are the same everywhere."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from srpitp_fingerprint import extract

IMAGES = Path(__file__).parent / "vectors" / "images"


def wave(phase: NDArray[np.int64], period: int) -> NDArray[np.int64]:
    """A triangle wave between 0 and 128."""
    return np.abs(phase % period * 2 - period) * 128 // period


def make_scene(height: int, width: int, seed: int = 1) -> NDArray[np.uint8]:
    """A picture with large and small shapes, whatever its size; integers only."""
    y, x = np.indices((height, width), dtype=np.int64)
    y, x = y * 1000 // height, x * 1000 // width
    large = wave(x * (1 + seed % 3) + y * 2, 600 + 50 * seed)
    small = wave(x * 3 - y * (seed % 5), 150 + 7 * seed) * wave(y + x * x // 900, 210 + 11 * seed)
    return np.clip(large + small // 120, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def scene():
    return make_scene


@pytest.fixture(scope="session")
def image_files() -> dict[str, Path]:
    """The image files of the golden vectors, by name."""
    return {path.name: path for path in sorted(IMAGES.iterdir())}


@pytest.fixture(scope="session")
def photo_bytes(image_files: dict[str, Path]) -> bytes:
    return image_files["baseline.jpg"].read_bytes()


@pytest.fixture(scope="session")
def fingerprints() -> list[bytes]:
    """Fingerprints of 40 scenes that have something in common."""
    return [
        extract(make_scene(60 + seed, 80, seed % 20)).views[0].fingerprint for seed in range(40)
    ]
