"""A database for the measurements of the Spark jobs, with fingerprints as photos have them."""

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from matching import Photos
from numpy.typing import NDArray
from pymongo import MongoClient
from pymongo.write_concern import WriteConcern

from srpitp_contracts.names import Collection
from srpitp_fingerprint import SKETCH_BYTES, VIEW_SETS, pack
from srpitp_servicekit.embedded import running_mongod

__all__ = ["cpu_of", "cpu_of_tree", "fill", "fill_photos", "fill_states", "running_world"]

_AT_ONCE = 5000
_CACHE = "3GB"
_COPY_EVERY = 100
_TICK = os.sysconf("SC_CLK_TCK")
_VIEWS = VIEW_SETS["K6"]

Document = dict[str, Any]


@contextmanager
def running_world(folder: Path) -> Iterator[str]:
    """Run a MongoDB whose data stay in a folder, and in memory: a server of its own would be so."""
    with running_mongod(folder) as uri:
        with MongoClient[Document](uri) as client:
            client.admin.command(
                "setParameter", 1, wiredTigerEngineRuntimeConfig=f"cache_size={_CACHE}"
            )
        yield uri


def fill(uri: str, protected: int, detected: int, views: int, mode: str = "paper") -> str:
    """Make a database of so many images, unless it is there; return its name.

    One in a hundred detected images is a copy; the others are as far from all as chance has it.
    """
    name = f"bench_{mode}_{protected}_{detected}_{views}"
    client: MongoClient[Document] = MongoClient(uri)
    db = client.get_database(name, write_concern=WriteConcern(1))
    if db["ready"].find_one():
        return name
    client.drop_database(name)
    for collection in (Collection.PROTECTED, Collection.DETECTED):
        db[collection].create_index([("tag", 1), ("_id", 1)], name="shard_key")
    photos, random = Photos(1), np.random.default_rng(2)
    known: list[NDArray[np.uint8]] = []
    for rows in photos.records(protected):
        known = known or [rows[: max(1, detected // _COPY_EVERY)]]
        for start in range(0, len(rows), _AT_ONCE):
            some = rows[start : start + _AT_ONCE]
            documents = [_protected(row, views, mode, random) for row in some]
            db[Collection.PROTECTED].insert_many(documents, ordered=False)
    began = datetime.now(UTC)  # each is seen at a moment of its own, so that some can be asked for
    for start in range(0, detected, _AT_ONCE):
        count = min(_AT_ONCE, detected - start)
        rows = pack(random.integers(0, 4, (count, 720), np.uint8))
        copies = rows[::_COPY_EVERY]
        rows[::_COPY_EVERY] = known[0][start // _COPY_EVERY :][: len(copies)]
        documents = [
            _detected(row, views, mode, random, began + timedelta(milliseconds=number))
            for number, row in enumerate(rows, start)
        ]
        db[Collection.DETECTED].insert_many(documents, ordered=False)
    db["ready"].insert_one({})
    client.close()
    return name


def fill_states(uri: str, count: int) -> str:
    """Make a database of so many detected images that wait, and no more than that of them."""
    name = f"bench_states_{count}"
    client: MongoClient[Document] = MongoClient(uri)
    db = client.get_database(name, write_concern=WriteConcern(1))
    if not db["ready"].find_one():
        client.drop_database(name)
        detected = db[Collection.DETECTED]
        detected.create_index([("tag", 1), ("_id", 1)], name="shard_key")
        for start in range(0, count, _AT_ONCE):
            of = {"tag": "other", "state": "waiting", "expires_at": None}
            some = range(min(_AT_ONCE, count - start))
            detected.insert_many([{"_id": secrets.token_hex(16), **of} for _ in some])
        db["ready"].insert_one({})
    db[Collection.DETECTED].update_many({}, {"$set": {"state": "waiting", "expires_at": None}})
    client.close()
    return name


def fill_photos(uri: str, folder: Path, count: int) -> str:
    """Make a database of so many protected photos that are not described yet; return its name.

    Their files, 500 x 375 JPEG of shapes large and small, lie in the blob store of the folder.
    """
    name = f"bench_photos_{count}"
    client: MongoClient[Document] = MongoClient(uri)
    db = client[name]
    if not db["ready"].find_one():
        client.drop_database(name)
        protected, random = db[Collection.PROTECTED], np.random.default_rng(3)
        protected.create_index([("tag", 1), ("_id", 1)], name="shard_key")
        for _ in range(count):
            data = cv2.imencode(".jpg", _picture(random))[1].tobytes()
            digest = hashlib.sha256(data).hexdigest()
            path = folder / "protected" / digest[:2] / digest
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            row = np.zeros(180, np.uint8)
            document = _protected(row, 1, "paper", random) | {"fp_version": 0, "digest": digest}
            protected.insert_one({**document, "storage_address": f"protected/{digest}"})
        db["ready"].insert_one({})
    client.close()
    return name


def _picture(random: np.random.Generator) -> NDArray[np.uint8]:
    picture = np.zeros((375, 500, 3), np.float32)
    for cells, strength in ((4, 110), (16, 70), (64, 50), (200, 30)):
        coarse = random.random((cells, cells, 3), np.float32) * strength
        picture += cv2.resize(coarse, (500, 375), interpolation=cv2.INTER_CUBIC)
    return np.clip(picture, 0, 255).astype(np.uint8)


def _image(row: NDArray[np.uint8], views: int, mode: str, random: np.random.Generator) -> Document:
    rest = random.bytes(180 * (views - 1))
    prints = [row.tobytes(), *(rest[at : at + 180] for at in range(0, len(rest), 180))]
    sketches = random.bytes(SKETCH_BYTES * views)
    return {
        "_id": secrets.token_hex(16),
        "tag": "other",
        "tags": [{"tag": "other", "confidence": 0.9}],
        "digest": secrets.token_hex(32),
        "textureless": False,
        "profile": "paper" if mode == "paper" else "robust",
        "fp_version": 1,
        "views": [
            {
                "name": _VIEWS[number],
                "fingerprint": fingerprint,
                "sketch": sketches[SKETCH_BYTES * number :][:SKETCH_BYTES],
            }
            for number, fingerprint in enumerate(prints)
        ],
    }


def _protected(
    row: NDArray[np.uint8], views: int, mode: str, random: np.random.Generator
) -> Document:
    now = datetime.now(UTC)
    return _image(row, views, mode, random) | {
        "owner_id": "owner",
        "title": "A photo that someone took",
        "storage_address": f"protected/{secrets.token_hex(32)}",
        "status": "active",
        "protected_from": now - timedelta(days=1),
        "protected_until": None,
        "updated_at": now,
        "created_at": now,
    }


def _detected(
    row: NDArray[np.uint8], views: int, mode: str, random: np.random.Generator, seen: datetime
) -> Document:
    return _image(row, min(views, 2), mode, random) | {
        "panels": [],
        "image_address": f"http://site.example/{secrets.token_hex(8)}.jpg",
        "site_id": "site",
        "state": "waiting",
        "evidence": {"storage_address": f"evidence/{secrets.token_hex(32)}"},
        "first_seen": seen,
        "last_seen": seen,
        "created_at": seen,
        "expires_at": None,
    }


def cpu_of(pid: int, *, with_ended: bool = False) -> float:
    """Give the processor time of a process, in seconds, and maybe of children that ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11 : 15 if with_ended else 13])) / _TICK


def cpu_of_tree(root: int) -> float:
    """Give the processor time of a process and of all that it started."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text()
            except OSError:
                continue
            parents[int(entry.name)] = int(text.rsplit(")", 1)[1].split()[1])
    tree = {root}
    while more := {pid for pid, parent in parents.items() if parent in tree} - tree:
        tree |= more
    total = 0.0
    for pid in tree:
        try:
            total += cpu_of(pid, with_ended=True)
        except OSError:
            continue
    return total
