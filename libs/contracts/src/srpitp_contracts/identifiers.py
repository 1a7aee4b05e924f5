"""Ids: random where a thing is new, derived where saying it twice must name the same thing."""

import hashlib
import secrets


def random_id() -> str:
    """Return 128 random bits: ids spread over the shards and tell nothing of order."""
    return secrets.token_hex(16)


def derived_id(*parts: str) -> str:
    """Return the id that the same parts always give.

    Parameters
    ----------
    *parts
        What makes the thing itself. Each is length-prefixed, so ``("ab", "c")`` and
        ``("a", "bc")`` differ.
    """
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()[:32]


def detected_id(image_address: str, digest: str) -> str:
    """Return the id of the bytes ``digest`` seen at ``image_address``."""
    return derived_id("detected", image_address, digest)


def sighting_id(image_id: str, page_address: str) -> str:
    """Return the id of a detected image's appearance on a page."""
    return derived_id("sighting", image_id, page_address)


def match_id(protected_id: str, detected_id: str) -> str:
    """Return the id of a pair; matching it again finds the same match."""
    return derived_id("match", protected_id, detected_id)


def alert_id(match_id: str, event: str) -> str:
    """Return the id of what an owner is told of a match; telling it again tells nothing new."""
    return derived_id("alert", match_id, event)
