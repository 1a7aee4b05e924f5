"""The protected images beside the executors: files that are built once a machine, and mapped.

Every task looks through all of them. So they are read from MongoDB by whichever task finds one
missing, laid out for comparing, and left in a folder; each of the machine's tasks maps the files,
whose pages they share.
"""

import fcntl
import functools
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import bson

from spark import mapped
from spark.ahead import ahead
from spark.ranges import Range
from spark.store import Document, Store, in_force
from spark.sweep import Sweep
from srpitp_contracts.names import Collection
from srpitp_matching import (
    DESCRIBED_FIELDS,
    DIFFERING_FIELDS,
    Picture,
    Pictures,
    Rules,
    picture_of,
    stacked,
)
from srpitp_servicekit.alike import alike_in

__all__ = ["Protected", "build", "built", "forget_old", "open_protected"]

logger = logging.getLogger(__name__)

_KEPT_SECONDS = 24 * 3600


class Protected(NamedTuple):
    """All protected images, and the rules that hold for so many."""

    parts: tuple[Pictures, ...]
    rules: Rules


@functools.lru_cache(maxsize=1)  # a worker serves many tasks of a run, one after the other
def _mapped(paths: tuple[Path, ...]) -> tuple[Pictures, ...]:
    return tuple(mapped.load(path) for path in paths)


def open_protected(store: Store, sweep: Sweep) -> Protected:
    """Map all protected images; what is missing on this machine is built first."""
    paths = [sweep.folder / f"{number}.pictures" for number in range(len(sweep.shards))]

    def make(number: int) -> None:
        pictures = build(store, sweep.shards[number], sweep)
        mapped.dump(pictures, paths[number])

    built(paths, make)
    parts = _mapped(tuple(paths))
    images, views = sum(len(part) for part in parts), sum(part.views for part in parts)
    return Protected(parts, sweep.settings.budgets.rules(images, views))


def build(store: Store, parts: Sequence[Range], sweep: Sweep) -> Pictures:
    """Lay out the protected images of some ranges, as they are in force at the run's moment."""
    limit = sweep.settings.match_points_limit if sweep.has_points else 0
    pictures = Pictures(sweep.settings.matching_mode, points_limit=limit, by_tags=sweep.by_tags)
    condition = in_force(sweep.moment)
    for part in parts:
        raws = store.raw_batches(Collection.PROTECTED, part, condition, DESCRIBED_FIELDS)
        for raw in ahead(raws):
            if pictures.has_points:
                _add(pictures, bson.decode_all(raw), store, sweep)
            else:
                _add_stacked(pictures, raw, store, sweep)
    return pictures


def _add_stacked(pictures: Pictures, raw: bytes, store: Store, sweep: Sweep) -> None:
    """Add images that are alike as arrays, and what is out of the ordinary one by one."""
    for alike in alike_in(raw, DIFFERING_FIELDS):
        added, rest = stacked(alike, profile=sweep.settings.fingerprint_profile)
        if added is not None:
            pictures.extend_stacked(added)
        if rest.any():
            _add(pictures, alike.documents(rest), store, sweep)


def _add(pictures: Pictures, documents: Sequence[Document], store: Store, sweep: Sweep) -> None:
    packed = store.descriptions(of["_id"] for of in documents) if pictures.has_points else {}
    pictures.extend(_pictures(documents, packed, sweep))


def _pictures(
    documents: Sequence[Document], packed: dict[str, bytes], sweep: Sweep
) -> Iterator[Picture]:
    profile = sweep.settings.fingerprint_profile
    for document in documents:
        id_ = document["_id"]
        try:
            yield picture_of(document, packed.get(id_), profile=profile)
        except (KeyError, TypeError, ValueError) as error:
            logger.error("protected image %s cannot be looked for: %s", id_, error)  # noqa: TRY400


def built(paths: Sequence[Path], make: Callable[[int], None]) -> None:
    """See to it that files are there: each is made by one process, and by whoever is free.

    Parameters
    ----------
    paths
        Of files that are complete as soon as they are there.
    make
        Makes the one of a number.
    """
    missing = [number for number, path in enumerate(paths) if not path.exists()]
    if missing:
        forget_old(paths[0].parent.parent)
        paths[0].parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # First what nobody makes; then wait for the others, or do what they did not come to do.
    for patient in (False, True):
        for number in missing:
            with _locked(paths[number], patient=patient) as ours:
                if ours and not paths[number].exists():
                    make(number)


@contextmanager
def _locked(path: Path, *, patient: bool) -> Iterator[bool]:
    """Hold a file's lock, which ends with its process; without patience maybe not."""
    with path.with_suffix(".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if patient else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True


def forget_old(folder: Path) -> None:
    """Delete what earlier runs left, other than of late: they may still go on."""
    horizon = time.time() - _KEPT_SECONDS
    for other in folder.iterdir() if folder.exists() else ():
        if other.is_dir() and other.stat().st_mtime < horizon:
            shutil.rmtree(other, ignore_errors=True)
