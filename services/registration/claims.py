"""What may be protected once only: a file's bytes, and a fingerprint.

A claim is a document of the registry, whose ``_id`` is the claimed thing and which names the image
that holds it. Claims are written in the transaction that writes their image and deleted in the one
that deletes it, so that they need no state of their own: a claim is there exactly as long as its
image is active. A registration that is killed leaves none behind; of two at the same time, one
writes first, and the other finds the claim held when its transaction is run again.
"""

import hashlib

from srpitp_contracts.fingerprints import Extraction

_WHOLE = "whole"


def digest_claim(digest: str) -> str:
    """Return the claim on a file's bytes."""
    return f"digest:{digest}"


def claims_of(extraction: Extraction) -> list[str]:
    """Return everything that an image claims.

    Plain images share their fingerprints by nature, so a textureless one claims its bytes only.
    """
    claims = [digest_claim(extraction.digest)]
    if not extraction.textureless:
        whole = next(view for view in extraction.views if view.name == _WHOLE)
        definition = f"{extraction.profile}:{extraction.fp_version}:".encode()
        key = hashlib.sha256(definition + whole.fingerprint).hexdigest()
        claims.append(f"fingerprint:{key}")
    return claims
