"""Time from the file to the fingerprint, beside a bare decode and other fingerprints.

Processor time of one thread. All contenders take turns on the same files, and ratios are of medians
over the turns: what else the machine does slows all of them alike. Photos come from a folder, or
out of scikit-image; each is brought to 500 x 375 and to 12 megapixels and saved as a JPEG.

    python bench/extraction.py [--photos FOLDER] [--csv FILE]
"""

import argparse
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import cv2
import imagehash
import numpy as np
import pdqhash
from PIL import Image
from tables import write_rows

from srpitp_fingerprint import elements, extract, pack, quality, quantise
from srpitp_fingerprint.decode import decode
from srpitp_fingerprint.formats import read_header
from srpitp_fingerprint.limits import Limits
from srpitp_fingerprint.sketch import sketches
from srpitp_fingerprint.views import boxes

SIZES = {"500x375": (500, 375), "12 MP": (4000, 3000)}
JPEG_QUALITY = 85
DEV = Path(__file__).parents[2] / "shared" / "data" / "dev" / "images"
SAMPLES = ("astronaut", "chelsea", "coffee", "rocket")


def pictures(folder: Path | None, count: int) -> list[Any]:
    """Read some photos: of the folder, or of scikit-image."""
    if folder is None and not DEV.is_dir():
        from skimage import data

        return [getattr(data, name)()[..., ::-1] for name in SAMPLES]
    paths = sorted(path for path in (folder or DEV).rglob("*") if path.is_file())
    read = (cv2.imread(str(path)) for path in paths[:: max(1, len(paths) // count)])
    return [picture for picture in read if picture is not None][:count]


def pdq_of(path: Path) -> Any:
    """Fingerprint with PDQ."""
    pixels = cv2.imread(str(path))
    if pixels is None:
        raise ValueError(f"cannot read {path} as an image")
    return pdqhash.compute(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))


def imagehash_of(function: Callable[[Image.Image], Any], path: Path) -> Any:
    """Fingerprint with one of imagehash."""
    with Image.open(path) as image:
        return function(image)


def symbols(pieces: Any) -> Any:
    """Take the last steps to fingerprints."""
    return pack(quantise(*elements.elements_of_pieces(pieces)))


def stages(path: Path) -> dict[str, Callable[[], Any]]:
    """Give each step of `extract` by itself, with its input at hand."""
    data = path.read_bytes()
    decoded = decode(data, Limits())
    picture = decoded.halved()
    parts = {
        name: [b.part(picture.height, picture.width) for b in boxes(picture, name).values()]
        for name in ("K1", "K6")
    }
    pieces = {views: elements.pieces_of_parts(picture, some) for views, some in parts.items()}
    packed = symbols(pieces["K1"])[0]
    return {
        "read": path.read_bytes,
        "digest": lambda: hashlib.sha256(data).hexdigest(),
        "header": lambda: read_header(data),
        "header and decode": lambda: decode(data, Limits()),
        "halve": decoded.halved,
        "views K6": lambda: boxes(picture, "K6"),
        "pieces K1": lambda: elements.pieces_of_parts(picture, parts["K1"]),
        "pieces K6": lambda: elements.pieces_of_parts(picture, parts["K6"]),
        "symbols K1": lambda: symbols(pieces["K1"]),
        "symbols K6": lambda: symbols(pieces["K6"]),
        "sketches K1": lambda: sketches(pieces["K1"]),
        "sketches K6": lambda: sketches(pieces["K6"]),
        "quality": lambda: quality(packed),
    }


def contenders(path: Path) -> dict[str, Callable[[], Any]]:
    """Give all that is timed on one file."""
    data = np.fromfile(path, np.uint8)
    whole: dict[str, Callable[[], Any]] = {
        "bare decode": lambda: cv2.imdecode(data, cv2.IMREAD_GRAYSCALE),
        "bare decode from file": lambda: cv2.imread(str(path), cv2.IMREAD_GRAYSCALE),
        "one view": lambda: extract(path, views="K1"),
        "six views": lambda: extract(path, views="K6"),
        "pdqhash": lambda: pdq_of(path),
        "imagehash phash": partial(imagehash_of, imagehash.phash, path),
        "imagehash dhash": partial(imagehash_of, imagehash.dhash, path),
    }
    return whole | {f"- {name}": step for name, step in stages(path).items()}


def medians(path: Path, turns: int) -> dict[str, float]:
    """Let all take turns; median milliseconds of each.

    In an order that is drawn for each turn: what runs after its like finds its code and the file in
    the processor's caches.
    """
    all_of_them = contenders(path)
    random = np.random.default_rng(turns)
    seconds: dict[str, list[float]] = {name: [] for name in all_of_them}
    for turn in range(turns + 1):
        for name in random.permutation(list(all_of_them)):
            start = time.thread_time()
            all_of_them[name]()
            if turn:  # the first one warms up
                seconds[name].append(time.thread_time() - start)
    return {name: 1000 * float(np.median(some)) for name, some in seconds.items()}


def measure(photos: list[Any], size: tuple[int, int], turns: int) -> dict[str, list[float]]:
    """Time all photos at one size: a list over photos for each contender."""
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo.jpg"
        for photo in photos:
            resized = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
            cv2.imwrite(str(path), resized, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            for name, milliseconds in medians(path, turns).items():
                found.setdefault(name, []).append(milliseconds)
    return found


def report(size: str, found: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Print a table, and give its rows."""
    print(f"\n{size}{'':22}    ms   x decode   x decode from file   PDQ / it")
    rows = []
    for name, times in found.items():
        ratios = [
            float(np.median(np.divide(times, found["bare decode"]))),
            float(np.median(np.divide(times, found["bare decode from file"]))),
            float(np.median(np.divide(found["pdqhash"], times))),
        ]
        rows.append({"size": size, "what": name, "ms": float(np.median(times))})
        rows[-1] |= dict(zip(("x decode", "x decode from file", "PDQ / it"), ratios, strict=True))
        numbers = f"{ratios[0]:9.2f} {ratios[1]:17.2f} {ratios[2]:14.1f}"
        print(f"{name:25} {np.median(times):9.3f} {numbers}")
    return rows


def main() -> int:
    """Time both sizes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--count", type=int, default=8, help="photos")
    parser.add_argument("--turns", type=int, default=60, help="of each, at 500 x 375")
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    photos = pictures(arguments.photos, arguments.count)
    rows = []
    for name, size in SIZES.items():
        turns = arguments.turns if name == "500x375" else max(3, arguments.turns // 12)
        rows += report(name, measure(photos, size, turns))
    if arguments.csv:
        write_rows(arguments.csv, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
