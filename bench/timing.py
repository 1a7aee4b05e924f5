"""Time of each step of the cascade on one core, in processor time: least and median."""

import argparse
import pickle
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import cv2
import numpy as np
from trial import ready, usual_trial_options

from srpitp_fingerprint import Gallery, describe, extract, local_features, match, verify


def _timed(name: str, work: Callable[[Any], Any], over: Sequence[Any]) -> None:
    work(over[0])
    spent = []
    for one in over:
        start = time.thread_time()
        work(one)
        spent.append(1000 * (time.thread_time() - start))
    least, middle = np.percentile(spent, [0, 50])
    print(f"{name:45} {least:8.2f} {middle:8.2f} ms")


def main() -> None:
    """Measure, on the protected set that accuracy.py kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    usual_trial_options(parser)
    parser.add_argument("--protected", type=int, default=10_000)
    arguments = parser.parse_args()
    if arguments.keep is None:
        parser.error("give with --keep the folder in which accuracy.py kept its protected set")
    _, photos, _ = ready(arguments)
    pixels = [cv2.resize(photo.pixels(), (500, 375)) for photo in photos[200:240]]
    files = [cv2.imencode(".jpg", one)[1].tobytes() for one in pixels]
    _timed(
        "bare grey decode, 500 x 375", lambda f: cv2.imdecode(np.frombuffer(f, np.uint8), 0), files
    )
    for views in ("K1", "K6", "K10", "Q2", "Q6"):
        _timed(f"extract {views}", partial(extract, views=views), files)
    _timed("local features, with decoding", local_features, files)
    _timed("describe, protected", describe, files)
    _timed("describe, detected", lambda f: describe(f, detected=True), files)
    features = [local_features(f) for f in files]
    _timed(
        "verify, strangers", lambda k: verify(features[k], features[k - 1]), range(len(features))
    )
    cropped = [local_features(np.ascontiguousarray(one[40:, 50:])) for one in pixels]
    _timed("verify, copies", lambda k: verify(cropped[k], features[k]), range(len(features)))
    kept = arguments.keep / f"protected-{arguments.protected}.pickle"
    protected = pickle.loads(kept.read_bytes())  # noqa: S301
    gallery = Gallery(protected)
    theirs = dict(enumerate(one.features for one in protected))
    look = partial(match, gallery=gallery, features=theirs)
    detected = [describe(f, detected=True) for f in files]
    _timed(f"match, strangers, {len(gallery)} protected", look, detected)
    copies = [
        describe(np.ascontiguousarray(p.pixels()[9:, 9:]), detected=True) for p in photos[:40]
    ]
    _timed(f"match, copies, {len(gallery)} protected", look, copies)


if __name__ == "__main__":
    main()
