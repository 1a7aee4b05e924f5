"""What may be protected once only: a file's bytes, and a fingerprint.

A claim is a document of the registry, whose ``_id`` is the claimed thing and which names the image
that holds it. Claims are written in the transaction that writes their image and deleted in the one
that deletes it, so that they need no state of their own: a claim is there exactly as long as its
image is active. A registration that is killed leaves none behind; of two at the same time, one
writes first, and the other finds the claim held when its transaction is run again.
"""

import hashlib
from collections.abc import Sequence
from typing import Protocol

__all__ = ["claims_of", "digest_claim"]

_WHOLE = "whole"


class _View(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def fingerprint(self) -> bytes: ...


class _Claimant(Protocol):
    """What is said of an image that claims something; see `Extraction`."""

    @property
    def digest(self) -> str: ...
    @property
    def textureless(self) -> bool: ...
    @property
    def profile(self) -> str: ...
    @property
    def fp_version(self) -> int: ...
    @property
    def views(self) -> Sequence[_View]: ...


def digest_claim(digest: str) -> str:
    """Return the claim on a file's bytes."""
    return f"digest:{digest}"


def claims_of(image: _Claimant) -> list[str]:
    """Return everything that an image claims.

    Plain images share their fingerprints by nature, so a textureless one claims its bytes only.
    """
    claims = [digest_claim(image.digest)]
    if not image.textureless:
        whole = next(view for view in image.views if view.name == _WHOLE)
        definition = f"{image.profile}:{image.fp_version}:".encode()
        key = hashlib.sha256(definition + whole.fingerprint).hexdigest()
        claims.append(f"fingerprint:{key}")
    return claims
