"""Protected images that nobody registered: fingerprints like those of photos, and descriptions."""

import secrets
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymongo.database import Database

from srpitp_contracts.names import Collection
from srpitp_fingerprint import FP_VERSION, VIEW_SETS, pack

__all__ = ["TAG_SETS", "fill", "protected_document"]

TAG_SETS = (
    ("people",), ("animal",), ("scenic",), ("other",), ("people", "other"), ("other", "people"),
    ("scenic", "other"), ("animal", "other"), ("other", "scenic"), ("people", "scenic"),
)  # fmt: skip
_AT_A_TIME = 2000
_REGISTERED = datetime(2025, 1, 1, tzinfo=UTC)
# Shares of the symbols, as photos have them: few are far from the middle.
_A_SHARES = (0.22, 0.28, 0.28, 0.22)
_D_SHARES = (0.33, 0.17, 0.17, 0.33)


def _fingerprints(random: np.random.Generator, count: int) -> NDArray[np.uint8]:
    levels = random.choice(4, (count, 144), p=_A_SHARES)
    details = random.choice(4, (count, 576), p=_D_SHARES)
    return pack(np.concatenate([levels, details], axis=1).astype(np.uint8))


def protected_document(
    random: np.random.Generator, tags: tuple[str, ...], rows: NDArray[np.uint8] | None = None
) -> dict[str, Any]:
    """Make a document as registration writes it."""
    rows = _fingerprints(random, 6) if rows is None else rows
    sketches = random.bytes(6 * 32)
    return {
        "_id": secrets.token_hex(16),
        "owner_id": secrets.token_hex(16),
        "title": "A photo that stands for many",
        "digest": secrets.token_hex(32),
        "size_bytes": 2_000_000,
        "width": 4000,
        "height": 3000,
        "format": "jpeg",
        "quality": 0.8,
        "textureless": False,
        "notes": [],
        "tag": tags[0],
        "tags": [{"tag": tag, "confidence": 0.5} for tag in tags],
        "profile": "robust",
        "fp_version": FP_VERSION,
        "source_address": None,
        "storage_address": "none",
        "protected_from": _REGISTERED,
        "protected_until": None,
        "status": "active",
        "created_at": _REGISTERED,
        "updated_at": _REGISTERED + timedelta(seconds=int(random.integers(0, 10_000_000))),
        "views": [
            {"name": name, "fingerprint": row.tobytes(), "sketch": sketches[32 * n : 32 * n + 32]}
            for n, (name, row) in enumerate(zip(VIEW_SETS["K6"], rows, strict=True))
        ],
        "claims": [],
        "request": "bench",
    }


def fill(db: Database[dict[str, Any]], images: int, descriptions: Sequence[bytes] = ()) -> int:
    """Write as many protected images, and descriptions for them in turn, if there are any."""
    random = np.random.default_rng(1)
    protected, described = db[Collection.PROTECTED], db[Collection.DESCRIPTIONS]
    for documents in _batches(random, images):
        protected.insert_many(documents, ordered=False)
        if descriptions:
            described.insert_many(
                [
                    {"_id": one["_id"], "packed": descriptions[n % len(descriptions)]}
                    for n, one in enumerate(documents)
                ],
                ordered=False,
            )
    return images


def _batches(random: np.random.Generator, images: int) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, images, _AT_A_TIME):
        count = min(_AT_A_TIME, images - start)
        rows = _fingerprints(random, 6 * count).reshape(count, 6, -1)
        tags = random.integers(0, len(TAG_SETS), count)
        yield [
            protected_document(random, TAG_SETS[tag], of)
            for tag, of in zip(tags.tolist(), rows, strict=True)
        ]
