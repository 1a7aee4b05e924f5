"""Photos, and documents of them as registration and the crawler write them."""

import functools
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spark.store import Document, Store
from srpitp_contracts.identifiers import derived_id
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import Collection
from srpitp_contracts.runs import (
    LauncherName,
    RunKind,
    RunReason,
    RunRequest,
    RunState,
    new_run,
)
from srpitp_fingerprint import Description, describe, extract
from srpitp_servicekit.mongo import to_document

Pixels = NDArray[np.uint8]

NOW = utc_now()
ALTERATIONS = ("same", "flipped", "cropped", "brighter", "collage", "plain", "stranger")


def photo(seed: int, height: int = 240, width: int = 320) -> Pixels:
    """Make a picture with many corners."""
    random = np.random.default_rng(seed)
    picture = np.full((height, width), 120, np.uint8)
    for _ in range(140):
        y, x, h, w = random.integers(0, [height, width, 60, 60])
        picture[y : y + h + 4, x : x + w + 4] = random.integers(0, 256)
    return np.asarray(cv2.GaussianBlur(picture, (5, 5), 1), np.uint8)


def altered(seed: int, how: str) -> Pixels:
    """Make a copy of a photo."""
    original = photo(seed)
    match how:
        case "same":
            return original
        case "flipped":
            return np.ascontiguousarray(original[:, ::-1])
        case "cropped":
            return np.ascontiguousarray(original[12:-12, 16:-16])
        case "brighter":
            return np.clip(original.astype(np.int16) + 12, 0, 255).astype(np.uint8)
        case "collage":
            others = [photo(number + seed) for number in (1000, 1100, 1200)]
            return np.vstack([np.hstack([original, others[0]]), np.hstack(others[1:])])
        case "plain":
            return np.full((100, 120), 200, np.uint8)
        case _:
            return photo(2000 + seed)


@functools.lru_cache(maxsize=500)
def described(seed: int, how: str = "same", *, detected: bool = False) -> Description:
    return describe(altered(seed, how), detected=detected)


@functools.lru_cache(maxsize=500)
def of_the_paper(seed: int, how: str = "same") -> Description:
    return Description(extract(altered(seed, how), profile="paper", views="K1"))


def views_of(description: Description) -> list[Document]:
    return [
        {"name": view.name, "fingerprint": view.fingerprint, "sketch": view.sketch}
        for view in description.extraction.views
    ]


def _document(id_: str, description: Description, tags: tuple[str, ...]) -> Document:
    of = description.extraction
    return {
        "_id": id_,
        "tag": tags[0],
        "tags": [{"tag": tag, "confidence": 0.5} for tag in tags],
        "digest": of.digest,
        "size_bytes": 1000,
        "width": of.width,
        "height": of.height,
        "format": "png",
        "quality": of.quality,
        "textureless": of.textureless,
        "profile": of.profile,
        "fp_version": of.fp_version,
        "views": views_of(description),
    }


def _panel(description: Description) -> Document:
    of = description.extraction
    facts = {name: getattr(of, name) for name in ("digest", "width", "height", "quality")}
    return {**facts, "textureless": of.textureless, "views": views_of(description)}


@dataclass
class World:
    """A store, and what is put into it."""

    store: Store

    def protect(self, name: str, description: Description, *tags: str, **changes: Any) -> Document:
        document = {
            **_document(derived_id(name), description, tags or ("people",)),
            "owner_id": "owner",
            "title": f"Photo {name}",
            "storage_address": f"protected/{description.extraction.digest}",
            "protected_from": NOW - timedelta(days=1),
            "protected_until": None,
            "status": "active",
            "created_at": NOW,
            "updated_at": NOW,
        } | changes
        self._add(Collection.PROTECTED, document, description)
        return document

    def detect(self, name: str, description: Description, *tags: str, **changes: Any) -> Document:
        document = {
            **_document(derived_id("detected", name), description, tags or ("people",)),
            "panels": [_panel(panel) for panel in description.panels],
            "site_id": "site",
            "image_address": f"http://site.example/{name}.png",
            "state": "waiting",
            "evidence": {"storage_address": f"evidence/{description.extraction.digest}"},
            "first_seen": NOW,
            "last_seen": NOW,
            "created_at": NOW,
            "expires_at": None,
        } | changes
        self._add(Collection.DETECTED, document, description)
        return document

    def _add(self, name: Collection, document: Document, description: Description) -> None:
        self.store.collection(name).create_index([("tag", 1), ("_id", 1)])
        self.store.collection(name).insert_one(document)
        if description.features is not None:
            self.store.collection(Collection.DESCRIPTIONS).insert_one(
                {"_id": document["_id"], "packed": description.to_bytes()}
            )

    def run(self, kind: RunKind = RunKind.MATCH, **request: Any) -> str:
        """Write a run that was launched; return its id."""
        id_ = derived_id("run", kind, str(request))
        run = new_run(
            id_, RunRequest(kind=kind, **request), RunReason.REQUEST, LauncherName.LOCAL, NOW
        )
        launched = {"state": str(RunState.SUBMITTED), "attempts": 1}
        self.store.collection(Collection.RUNS).insert_one(to_document(run) | launched)
        return id_

    def matches(self) -> list[Document]:
        return list(self.store.collection(Collection.MATCHES).find().sort("_id"))

    def states(self) -> list[tuple[str, bool]]:
        """List the states of detected images, and whether they expire."""
        found = self.store.collection(Collection.DETECTED).find().sort("image_address")
        return [(one["state"], one["expires_at"] is not None) for one in found]
