"""The photos of a measurement: read by source, and made into strangers and layouts."""

import csv
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Photo", "decoded", "horizon", "product", "read_photos", "window"]

Pixels = NDArray[np.uint8]
_SIDE = 320


class Photo(NamedTuple):
    """One photo, where it comes from and what it shows."""

    path: Path
    source: str
    kind: str = ""

    def pixels(self) -> Pixels:
        """Read it, as BGR."""
        image = cv2.imread(str(self.path), cv2.IMREAD_COLOR)
        if image is None:
            raise ValueError(f"cannot read {self.path} as an image")
        return np.asarray(image, np.uint8)


def decoded(data: bytes) -> Pixels:
    """Decode an image file that is in memory, to BGR."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError("cannot decode the data as an image")
    return np.asarray(image, np.uint8)


def read_photos(folder: Path) -> list[Photo]:
    """List the photos of a folder: sources and kinds as in its manifest.csv, or its subfolders."""
    manifest = folder / "manifest.csv"
    if manifest.exists():
        with manifest.open(newline="") as file:
            return [
                Photo(folder / row["file"], row["source"], row.get("kind", ""))
                for row in csv.DictReader(file)
            ]
    kinds = {".jpg", ".jpeg", ".png", ".webp"}
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in kinds)
    return [Photo(path, path.parent.name, path.parent.name) for path in found]


def window(image: Pixels, seed: list[int]) -> Pixels:
    """Cut out about a quarter, anywhere, at times mirrored: it makes another photo."""
    random = np.random.default_rng(seed)
    height, width = image.shape[:2]
    h, w = (
        round(n * f) for n, f in zip((height, width), random.uniform(0.42, 0.62, 2), strict=True)
    )
    y, x = random.integers(0, height - h + 1), random.integers(0, width - w + 1)
    part = image[y : y + h, x : x + w]
    part = part[:, ::-1] if random.integers(2) else part
    scale = _SIDE / min(h, w)
    size = (round(w * scale), round(h * scale))
    enlarged = cv2.resize(np.ascontiguousarray(part), size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(enlarged, np.uint8)


def product(image: Pixels, seed: list[int]) -> Pixels:
    """Lay a rounded part of a photo on a white background with a shadow: a product shot."""
    random = np.random.default_rng(seed)
    ramp = np.linspace(random.uniform(235, 250), random.uniform(205, 235), _SIDE)
    canvas = np.repeat(np.repeat(ramp[:, None, None], _SIDE, 1), 3, 2).astype(np.float32)
    axes = tuple(int(a) for a in random.uniform(0.26, 0.34, 2) * _SIDE)
    mask = np.zeros((_SIDE, _SIDE), np.float32)
    cv2.ellipse(mask, (_SIDE // 2, _SIDE // 2 + 10), axes, 0, 0, 360, 1, -1)
    canvas *= 1 - 0.25 * cv2.GaussianBlur(np.roll(mask, 14, axis=0), (0, 0), 12)[..., None]
    share = cv2.GaussianBlur(mask, (0, 0), 1.5)[..., None]
    object_ = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return (canvas * (1 - share) + object_ * share).astype(np.uint8)


def horizon(image: Pixels, seed: list[int]) -> Pixels:
    """Put a small part of a photo between a clouded sky and a sea."""
    random = np.random.default_rng(seed)
    height, width = 240, _SIDE
    line = round(height * random.uniform(0.52, 0.62))
    sky = np.linspace(random.uniform(120, 180), random.uniform(200, 240), line)
    sea = np.linspace(random.uniform(130, 170), random.uniform(60, 100), height - line)
    canvas = np.repeat(np.concatenate([sky, sea])[:, None], width, 1)
    clouds = cv2.resize(random.normal(0, 14, (5, 7)), (width, line), interpolation=cv2.INTER_CUBIC)
    waves = cv2.resize(random.normal(0, 10, (40, 20)), (width, height - line))
    canvas += np.concatenate([clouds, waves])
    scene = np.stack([canvas * 1.08, canvas, canvas * 0.9], -1)
    side = round(width * random.uniform(0.16, 0.24))
    x, y = random.integers(0, width - side), line - round(0.7 * side)
    scene[y : y + side, x : x + side] = cv2.resize(
        image, (side, side), interpolation=cv2.INTER_AREA
    )
    return np.clip(scene + random.normal(0, 2, scene.shape), 0, 255).astype(np.uint8)
