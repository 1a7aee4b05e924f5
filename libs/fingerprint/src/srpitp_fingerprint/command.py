"""The command ``srpitp-fingerprint``."""

import argparse
import csv
import json
import math
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, TextIO, get_args

import cv2

from .description import Description
from .distance import decision_distance, distance
from .drawing import draw_comparison
from .elements import Profile
from .errors import ImageError
from .extraction import describe, extract
from .features import LocalFeatures
from .gallery import Gallery
from .matching import Match, match
from .orientation import ORIENTATIONS, Orientation, permute
from .steps import Steps
from .views import VIEW_SETS, ViewSet
from .workers import Workers

__all__ = ["main", "run"]

_COLUMNS = (
    "detected",
    "verdict",
    "protected",
    "decision_distance",
    "distance",
    "sketch_distance",
    "nearness",
    "points",
    "protected_view",
    "detected_view",
    "orientation",
    "negative",
    "quality",
    "textureless",
    "inliers",
    "overlap",
    "agreement",
    "score",
    "error",
)
_ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
_SECONDS_BETWEEN = 0.2  # two messages of progress


def _error(error: Exception) -> str:
    return f"{error.code}: {error}" if isinstance(error, ImageError) else f"unreadable: {error}"


def _lost(path: Path) -> str:
    return f"unreadable: {path.name} ended the process that decoded it"


def _describe(path: Path, *, views: ViewSet, detected: bool) -> Description | str:
    """Describe a file, or say what is wrong: in a list of thousands one is no reason to stop."""
    try:
        return describe(path, views=views, detected=detected)
    except Exception as error:  # whatever it is, the other files are not to suffer
        return _error(error)


def _files(folder: Path) -> list[Path]:
    """List the files of a folder and its folders, but for hidden ones."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(p for p in files if not any(x[0] == "." for x in p.relative_to(folder).parts))


def _counted(things: Iterable[Any], count: int, what: str) -> Iterator[Any]:
    """Pass things on, and show on a terminal how many came by."""
    start = shown = time.monotonic()
    for done, thing in enumerate(things, 1):
        yield thing
        now = time.monotonic()
        if sys.stderr.isatty() and (now - shown > _SECONDS_BETWEEN or done == count):
            shown = now
            rate = done / max(now - start, 1e-3)
            left = f"{rate:,.0f}/s, {(count - done) / rate:,.0f} s left"
            line = f"{what}: {done:,} of {count:,}, {left}"
            print(f"\r{line:<78}", end="" if done < count else "\n", file=sys.stderr, flush=True)


def _extract(arguments: argparse.Namespace) -> int:
    status = 0
    for path in arguments.files:
        try:
            about = asdict(extract(path, profile=arguments.profile, views=arguments.views))
        except (ImageError, OSError) as error:
            about, status = {"error": _error(error)}, 1
        print(json.dumps({"file": str(path)} | about, default=bytes.hex))
    return status


def _nearest_orientation(a: bytes, b: bytes) -> Orientation:
    return min(ORIENTATIONS, key=lambda o: decision_distance(a, permute(b, o)))


def _compare(arguments: argparse.Namespace) -> int:
    try:
        a = describe(arguments.a, views=arguments.protected_views)
        b = describe(arguments.b, views=arguments.detected_views, detected=True)
    except (ImageError, OSError) as error:
        print(_error(error), file=sys.stderr)
        return 2
    whole = a.extraction.views[0].fingerprint
    other = b.extraction.views[0].fingerprint
    orientation = _nearest_orientation(whole, other)
    other = permute(other, orientation)
    found = match(b, Gallery([a]), features={0: a.features})
    row = _row(found[0] if found else None, b, "")
    if arguments.picture:
        drawn = draw_comparison(arguments.a, arguments.b, whole, other, orientation)
        if not cv2.imwrite(str(arguments.picture), drawn):
            print(f"cannot write {arguments.picture}", file=sys.stderr)
            return 2
    about = {
        "verdict": row.pop("verdict"),
        "whole": {
            "orientation": orientation,
            "distance": distance(whole, other),
            "decision_distance": decision_distance(whole, other),
        },
        "nearest_views": {k: v for k, v in row.items() if k != "protected"},
    }
    print(json.dumps(about, indent=2))
    return 0 if about["verdict"] != "distinct" else 1


def _row(found: Match | None, detected: Description, protected: str) -> dict[str, Any]:
    """Tell of a detected image what came nearest, and why it counts as found or not."""
    about = detected.extraction
    row: dict[str, Any] = {
        "verdict": "distinct",
        "quality": round(about.quality, 4),
        "textureless": about.textureless,
    }
    if found is None:
        return row
    row |= {
        "verdict": found.verdict.value,
        "protected": protected,
        "decision_distance": round(found.decision_distance, 5),
        "distance": round(found.distance, 5),
        "sketch_distance": round(found.sketch_distance, 5),
        "nearness": round(found.nearness, 5),
        "points": round(found.points, 3),
        "protected_view": found.view,
        "detected_view": found.probe.view,
        "orientation": found.probe.orientation,
        "negative": found.probe.negative,
    }
    if found.verification is not None:
        row |= {
            "inliers": found.verification.inliers,
            "overlap": round(found.verification.overlap, 4),
            "agreement": round(found.verification.agreement, 4),
        }
    if math.isfinite(found.score):
        row["score"] = round(found.score, 3)
    return row


class _Protected:
    """What every process looks in; set once in each."""

    gallery: Gallery
    features: Sequence[LocalFeatures | None]
    names: Sequence[str]
    views: ViewSet
    steps: Steps

    @classmethod
    def set(cls, shared: Any) -> None:
        cls.gallery, cls.features, cls.names, cls.views, cls.steps = shared
        cv2.setNumThreads(1)


def _match_one(path: Path) -> dict[str, Any]:
    detected = _describe(path, views=_Protected.views, detected=True)
    if isinstance(detected, str):
        return {"error": detected}
    features = _Protected.features.__getitem__
    found = match(detected, _Protected.gallery, _Protected.steps, features=features)
    nearest = found[0] if found else None
    return _row(nearest, detected, _Protected.names[nearest.place] if nearest else "")


def _one_thread(_: object) -> None:
    cv2.setNumThreads(1)


def _protected(
    folder: Path, views: ViewSet, processes: int
) -> tuple[list[Description], list[str], int]:
    """Describe the protected pictures; count those that could not be read."""
    files = _files(folder)
    described: Workers[Path, Description | str] = Workers(
        partial(_describe, views=views, detected=False), _lost, processes, _one_thread
    )
    pictures, names, bad = [], [], 0
    for path, one in _counted(zip(files, described(files), strict=True), len(files), "protected"):
        if isinstance(one, str):
            print(f"{path}: {one}", file=sys.stderr)
            bad += 1
        else:
            pictures.append(one)
            names.append(str(path.relative_to(folder)))
    return pictures, names, bad


def _write_rows(arguments: argparse.Namespace, file: TextIO) -> int:
    protected, names, bad = _protected(
        arguments.protected, arguments.protected_views, arguments.processes
    )
    files = _files(arguments.detected)
    steps = Steps().within(
        arguments.false_alarms,
        max(1, len(protected)),
        (len(VIEW_SETS[arguments.protected_views]), len(VIEW_SETS[arguments.detected_views])),
    )
    matched: Workers[Path, dict[str, Any]] = Workers(
        _match_one,
        lambda path: {"error": _lost(path)},
        arguments.processes,
        _Protected.set,
        (
            Gallery(protected),
            [one.features for one in protected],
            names,
            arguments.detected_views,
            steps,
        ),
    )
    writer = csv.DictWriter(file, _COLUMNS, restval="")
    writer.writeheader()
    for path, row in _counted(zip(files, matched(files), strict=True), len(files), "detected"):
        writer.writerow({"detected": str(path.relative_to(arguments.detected))} | row)
        bad += "error" in row
    return 1 if bad else 0


def _match(arguments: argparse.Namespace) -> int:
    for folder in (arguments.protected, arguments.detected):
        if not folder.is_dir():
            print(f"{folder} is not a folder", file=sys.stderr)
            return 2
    try:
        file = arguments.csv.open("w", newline="")
    except OSError as error:
        print(f"cannot write the rows: {error}", file=sys.stderr)
        return 2
    with file:
        return _write_rows(arguments, file)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "srpitp-fingerprint", description="Fingerprint photos, and find the copies among them."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    views = argparse.ArgumentParser(add_help=False)
    views.add_argument("--protected-views", default="K6", choices=VIEW_SETS, metavar="SET")
    views.add_argument("--detected-views", default="Q2", choices=VIEW_SETS, metavar="SET")

    one = commands.add_parser(
        "extract",
        help="fingerprints as JSON, a line for each file",
        epilog="Exit status: 0, or 1 if a file could not be read; its line says why.",
    )
    one.add_argument("files", nargs="+", type=Path, metavar="FILE")
    one.add_argument("--profile", default="robust", choices=get_args(Profile))
    one.add_argument("--views", default="K6", choices=VIEW_SETS, metavar="SET")
    one.set_defaults(run=_extract)

    two = commands.add_parser(
        "compare",
        parents=[views],
        help="how far two pictures are apart, and what follows",
        epilog="Exit status: 0 if one is a copy of the other, 1 if not, 2 for trouble.",
    )
    two.add_argument("a", type=Path, metavar="PROTECTED")
    two.add_argument("b", type=Path, metavar="DETECTED")
    two.add_argument("--picture", type=Path, metavar="PNG", help="draw both, and where they differ")
    two.set_defaults(run=_compare)

    many = commands.add_parser(
        "match",
        parents=[views],
        help="what of a folder shows pictures of another folder",
        epilog="Exit status: 0, or 1 if a file could not be read; 2 for other trouble.",
    )
    many.add_argument("protected", type=Path, metavar="PROTECTED_DIR")
    many.add_argument("detected", type=Path, metavar="DETECTED_DIR")
    many.add_argument("--csv", type=Path, required=True, help="a row for each detected file")
    many.add_argument(
        "--false-alarms",
        type=float,
        default=1000,
        metavar="N",
        help="so many of a million files that show nothing protected may be called similar",
    )
    many.add_argument("--processes", type=int, default=os.cpu_count() or 1, metavar="N")
    many.set_defaults(run=_match)
    return parser


def run(arguments: Sequence[str]) -> int:
    """Run the command in this process.

    Parameters
    ----------
    arguments : sequence of str

    Returns
    -------
    int
        The exit status.
    """
    parsed = _parser().parse_args(arguments)
    status: int = parsed.run(parsed)
    return status


def main() -> None:
    """Run the command, with one thread in each process: there is a process for each core."""
    if not _ONE_THREAD.items() <= os.environ.items():
        # The library of numpy's products reads this when it is loaded, and it is by now.
        command = [sys.executable, "-m", "srpitp_fingerprint.command", *sys.argv[1:]]
        os.execve(sys.executable, command, os.environ | _ONE_THREAD)  # noqa: S606 - this program
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
