"""From what is stored of an image to what is compared: plain mappings in, library values out.

A stored description may be missing (it was withheld, or the image is older than descriptions) or
broken; then the fingerprints decide alone. A fingerprint of another version or profile cannot be
compared: such an image is matched by its bytes only.
"""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from srpitp_fingerprint import (
    FINGERPRINT_BYTES,
    FP_VERSION,
    SKETCH_BYTES,
    Description,
    Extraction,
    LocalFeatures,
    Profile,
    View,
)

__all__ = [
    "DESCRIBED_FIELDS",
    "DETECTED_FIELDS",
    "PROTECTED_FIELDS",
    "DetectedFacts",
    "Picture",
    "ProtectedFacts",
    "description_of",
    "features_of",
    "is_comparable",
    "picture_of",
    "scanned",
    "tags_of",
]

logger = logging.getLogger(__name__)

DESCRIBED_FIELDS = (
    "_id", "tag", "tags.tag", "digest", "textureless", "profile", "fp_version",
    "views.name", "views.fingerprint", "views.sketch",
)  # fmt: skip
"""What is read of a protected image to look for it."""

_FACTS = ("_id", "tag", "tags.tag", "digest")
PROTECTED_FIELDS = (*_FACTS, "owner_id", "title")
"""What a match says of a protected image."""
DETECTED_FIELDS = (*DESCRIBED_FIELDS, "panels", "image_address")
"""What is read of a detected image to look for it, and for a match to say."""

Document = Mapping[str, Any]

_DIGEST_BYTES = 32


class Picture(NamedTuple):
    """A protected image as it is looked for."""

    id: str
    tags: frozenset[str]
    description: Description


@dataclass(frozen=True, slots=True)
class ProtectedFacts:
    """What a match says of a protected image."""

    id: str
    owner_id: str
    title: str
    digest: str
    tag: str
    tags: tuple[str, ...]

    @classmethod
    def of(cls, document: Document) -> "ProtectedFacts":
        """Read a document of ``protected``."""
        return cls(
            document["_id"],
            document["owner_id"],
            document["title"],
            document["digest"],
            document["tag"],
            tags_of(document),
        )


@dataclass(frozen=True, slots=True)
class DetectedFacts:
    """What a match says of a detected image."""

    id: str
    image_address: str
    digest: str
    tag: str
    tags: tuple[str, ...]

    @classmethod
    def of(cls, document: Document) -> "DetectedFacts":
        """Read a document of ``detected``."""
        return cls(
            document["_id"],
            document["image_address"],
            document["digest"],
            document["tag"],
            tags_of(document),
        )


def tags_of(document: Document) -> tuple[str, ...]:
    """List an image's tags, best first; the one that it is stored under is always among them."""
    listed = (str(score["tag"]) for score in document.get("tags", ()))
    return tuple(dict.fromkeys((*listed, str(document["tag"]))))


def picture_of(
    document: Document, packed: bytes | None = None, *, profile: Profile = "robust"
) -> Picture:
    """Read a protected image.

    Parameters
    ----------
    document : mapping
        Of ``protected``, with `DESCRIBED_FIELDS` at least.
    packed : bytes, optional
        Its ``descriptions.packed``, if its local features are to be filed.
    profile : {"robust", "paper"}
        Whose fingerprints are compared.
    """
    extraction = _extraction(document, profile)
    features = features_of(document["_id"], document["digest"], packed)
    return Picture(document["_id"], frozenset(tags_of(document)), Description(extraction, features))


def features_of(id_: str, digest: str | None, packed: bytes | None) -> LocalFeatures | None:
    """Read the local features of a protected image from its stored description, if it is sane.

    Parameters
    ----------
    id_ : str
    digest : str or None
        Of the image, to see whether the description is of the same bytes.
    packed : bytes or None
        Its ``descriptions.packed``.
    """
    stored = _unpacked(id_, digest, packed)
    return stored.features if stored else None


def scanned(document: Document, *, profile: Profile = "robust") -> Description:
    """Read what a detected image is scanned by: its fingerprints and its panels', no features.

    Parameters
    ----------
    document : mapping
        Of ``detected``, with `DETECTED_FIELDS` at least.
    profile : {"robust", "paper"}
        Whose fingerprints are compared.
    """
    panels = document.get("panels") or () if profile == "robust" else ()
    extraction = _extraction(document, profile)
    parts = tuple(
        Description(_extraction({**document, "views": (), **panel}, profile)) for panel in panels
    )
    return Description(extraction, panels=parts)


def description_of(
    document: Document, packed: bytes | None, *, profile: Profile = "robust"
) -> Description:
    """Read a detected image with its local features.

    Parameters
    ----------
    document, profile
        As of `scanned`.
    packed : bytes or None
        Its ``descriptions.packed``; without it, or where it is broken, what is in the document.
    """
    known = scanned(document, profile=profile)
    stored = _unpacked(document["_id"], document["digest"], packed)
    if stored is None or profile == "paper":
        return known
    return replace(stored, extraction=known.extraction)


def _unpacked(id_: str, digest: str | None, packed: bytes | None) -> Description | None:
    if packed is None:
        return None
    try:
        stored = Description.from_bytes(bytes(packed))
    except ValueError as error:
        reason = str(error)
    else:
        if digest in (None, stored.extraction.digest):
            return stored
        reason = f"it is of other bytes, {stored.extraction.digest}"
    logger.error("image %s: its description is broken, its fingerprint decides: %s", id_, reason)
    return None


def is_comparable(document: Document, profile: Profile) -> bool:
    """Tell whether an image has fingerprints that can be compared with ours."""
    version = document.get("fp_version", FP_VERSION)
    is_ours = version == FP_VERSION and document.get("profile", profile) == profile
    return bool(document.get("views")) and is_ours


def _extraction(document: Document, profile: Profile) -> Extraction:
    views = tuple(_view(view) for view in document.get("views") or ())
    comparable = is_comparable(document, profile)
    if len(bytes.fromhex(document["digest"])) != _DIGEST_BYTES:
        raise ValueError(f"no digest: {document['digest']!r}")
    return Extraction(
        digest=document["digest"],
        width=document.get("width", 1),
        height=document.get("height", 1),
        format=document.get("format", "array"),
        frames=document.get("frames", 1),
        quality=document.get("quality", 1.0),
        # Of a textureless image only the digest speaks, so also of one that cannot be compared.
        textureless=bool(document["textureless"]) or not comparable,
        profile=profile,
        fp_version=FP_VERSION,
        views=views if comparable else (_nothing_like(document["digest"]),),
    )


def _view(view: Document) -> View:
    fingerprint = bytes(view["fingerprint"])
    if len(fingerprint) != FINGERPRINT_BYTES:
        raise ValueError(f"a fingerprint of {len(fingerprint)} bytes, not {FINGERPRINT_BYTES}")
    # A view that was stored without a sketch is as far from every other one as a stranger.
    sketch = bytes(view.get("sketch") or _noise(fingerprint, SKETCH_BYTES))
    if len(sketch) != SKETCH_BYTES:
        raise ValueError(f"a sketch of {len(sketch)} bytes, not {SKETCH_BYTES}")
    return View(view["name"], fingerprint, sketch)


def _nothing_like(digest: str) -> View:
    """Make a view that is near to nothing: for an image whose fingerprints do not count."""
    seed = bytes.fromhex(digest)
    return View("whole", _noise(seed, FINGERPRINT_BYTES), _noise(seed, SKETCH_BYTES))


def _noise(seed: bytes, size: int) -> bytes:
    return hashlib.shake_128(seed).digest(size)
