"""What a task of a fingerprint run does: describe images anew whose description does not count.

An image stays under the tag that it is stored under, which stays among its tags; only the others
are said anew.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from spark.describing import Describer, NotDescribedError
from spark.outcome import Outcome, fault
from spark.store import Document, Store, in_some
from srpitp_contracts.claims import claims_of
from srpitp_contracts.fingerprints import Purpose
from srpitp_contracts.names import Collection
from srpitp_contracts.runs import ImageFault, RunCounts
from srpitp_fingerprint import FP_VERSION, Profile
from srpitp_fingerprint import Extraction as Extracted
from srpitp_servicekit.blobs import BlobStore
from srpitp_servicekit.decoding.answers import Described

__all__ = ["REFRESH_FIELDS", "refresh"]

REFRESH_FIELDS = (
    "_id", "tag", "digest", "profile", "fp_version", "storage_address",
    "evidence.storage_address",
)  # fmt: skip
"""What is read of an image to describe it anew."""

_FETCHED_AT_ONCE = 8
_UNSAID = 1  # the version of those that do not say it


class _GoneError(Exception):
    """The bytes of an image are not there."""


def refresh(
    documents: Sequence[Document],
    store: Store,
    blobs: BlobStore,
    describer: Describer,
    profile: Profile,
) -> Outcome:
    """Describe those images anew that need it, and write what is known of them now.

    Parameters
    ----------
    documents
        Of ``protected`` or ``detected``, with `REFRESH_FIELDS`.
    store, blobs, describer
    profile
        Whose fingerprints are compared.
    """
    faults: list[ImageFault] = []
    refreshed = 0
    for document, data in _fetched(_outdated(documents, store, profile), blobs):
        try:
            refreshed += _refresh(document, data, store, describer)
        except (NotDescribedError, _GoneError) as error:
            faults.append(fault(document["_id"], error))
    counts = RunCounts(images=len(documents), refreshed=refreshed, errors=len(faults))
    return Outcome(counts=counts, faults=faults)


def _outdated(documents: Sequence[Document], store: Store, profile: Profile) -> Iterator[Document]:
    """Yield the images that need it and of which we have the bytes."""
    ids = [document["_id"] for document in documents]
    described = store.described(ids) if profile == "robust" else set(ids)
    for document in documents:
        known = (document.get("fp_version", _UNSAID), document.get("profile", profile))
        is_current = known == (FP_VERSION, profile) and document["_id"] in described
        if _address(document) and not is_current:
            yield document


def _address(document: Document) -> str | None:
    """Say where an image's bytes lie; an owner may have registered fingerprints only."""
    evidence: Mapping[str, Any] = document.get("evidence") or {}
    return evidence.get("storage_address") or document.get("storage_address")


def _fetched(
    documents: Iterator[Document], blobs: BlobStore
) -> Iterator[tuple[Document, bytes | None]]:
    async def fetch(some: Sequence[Document]) -> list[bytes | None]:
        return await asyncio.gather(*(blobs.get(str(_address(one))) for one in some))

    with asyncio.Runner() as runner:
        for some in in_some(documents, _FETCHED_AT_ONCE):
            yield from zip(some, runner.run(fetch(some)), strict=True)


def _refresh(document: Document, data: bytes | None, store: Store, describer: Describer) -> bool:
    if data is None:
        raise _GoneError("its bytes are not there any more, or not those any more")
    is_detected = "evidence" in document
    described = describer.describe(data, Purpose.DETECTED if is_detected else Purpose.PROTECTED)
    if described.description.extraction.digest != document["digest"]:
        raise _GoneError("its bytes are those of another image")
    name = Collection.DETECTED if is_detected else Collection.PROTECTED
    packed = described.packed if described.description.features else None
    # Under another version no registration would meet the claims of this one any more.
    claims = [] if is_detected else claims_of(described.description.extraction)
    fields = _fields(described, is_detected=is_detected)
    return store.describe(name, document, fields, packed, claims)


def _fields(described: Described, *, is_detected: bool) -> Document:
    of = described.description.extraction
    names = ("width", "height", "format", "quality", "textureless", "profile", "fp_version")
    fields = {
        **{name: getattr(of, name) for name in names},
        "views": _views(of),
        "tags": [tag.model_dump() for tag in described.tags],
    }
    if not is_detected:
        return fields
    panels = [_panel(panel.extraction) for panel in described.description.panels]
    return {**fields, "panels": panels}


def _panel(of: Extracted) -> Document:
    names = ("digest", "width", "height", "quality", "textureless")
    return {**{name: getattr(of, name) for name in names}, "views": _views(of)}


def _views(of: Extracted) -> list[Document]:
    return [
        {"name": view.name, "fingerprint": view.fingerprint, "sketch": view.sketch}
        for view in of.views
    ]
