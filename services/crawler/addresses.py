"""Addresses as pages write them: made absolute and clean, compared, and chosen from a srcset."""

from collections.abc import Iterator
from urllib.parse import SplitResult, urljoin, urlsplit

from w3lib.url import canonicalize_url, safe_url_string

MAX_LENGTH = 2083
_DEFAULT_PORTS = {"http": 80, "https": 443}


def absolute(raw: object, base: str) -> str | None:
    """Return what a page calls ``raw`` as an http(s) address without fragment, or None.

    Parameters
    ----------
    raw
        As the page writes it; anything but text is no address (JSON-LD may hold anything).
    base
        What it is relative to.
    """
    if not isinstance(raw, str) or not raw.strip() or len(raw) > MAX_LENGTH:
        return None  # a data: URI is nearly always longer
    try:
        joined = urljoin(base, "".join(raw.split("\n")).strip())
        parts = urlsplit(safe_url_string(joined))
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
            return None
        _ = parts.port  # raises ValueError where it is no number
    except ValueError:
        return None
    address = parts._replace(netloc=parts.netloc.lower(), path=parts.path or "/", fragment="")
    return address.geturl() if len(address.geturl()) <= MAX_LENGTH else None


def identity(address: str) -> str:
    """Return what two spellings of one address share; for comparing, not for requesting.

    A server may mind the order of a query's parts (signed addresses do), so it is asked with the
    address as the page gave it.
    """
    return str(canonicalize_url(address, keep_blank_values=True))


def same_place(one: str, other: str) -> bool:
    """Return whether two addresses lie on one website.

    Scheme and a leading ``www.`` make no difference; another port does.
    """
    return _place(urlsplit(one)) == _place(urlsplit(other))


def _place(parts: SplitResult) -> tuple[str, int | None]:
    port = parts.port if parts.port != _DEFAULT_PORTS.get(parts.scheme) else None
    return (parts.hostname or "").removeprefix("www."), port


def candidates(srcset: str) -> Iterator[tuple[str, float]]:
    """Yield each address of a srcset with its size, in the unit that the srcset uses.

    Written as one pass over words, since pages may hold a srcset of megabytes.
    """
    address, size = "", 1.0
    for word in srcset.split():
        if not address:
            address = word.lstrip(",")
            if not address.endswith(","):
                continue
            yield address.rstrip(","), 1.0  # no descriptor
            address = ""
            continue
        descriptor, comma, following = word.partition(",")
        size = max(size, _size(descriptor))
        if comma:
            yield address, size
            address, size = following, 1.0
    if address:
        yield address, size


def _size(descriptor: str) -> float:
    if descriptor[-1:] not in {"w", "x"}:
        return 0.0
    try:
        return float(descriptor[:-1])
    except ValueError:
        return 0.0
