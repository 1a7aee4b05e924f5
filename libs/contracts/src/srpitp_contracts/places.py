"""Where a page lies: whether an address lies on a site, or below another address.

Addresses are read as browsers read them, and compared by what they mean, not by their letters:
``https://example.org.evil.com`` and ``https://example.org@evil.com`` do not lie on example.org.
What could mean something else to the server that answers it lies nowhere.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, unquote

from pydantic import AnyHttpUrl, ValidationError

_STANDARD_PORTS = frozenset({80, 443})
_PLAIN = re.compile(r"https?://[^/?#@\\\s\x00-\x20]+([/?#][^\\\x00-\x20]*)?", re.IGNORECASE)
_HOST = re.compile(r"\[[0-9a-f:.]+\]|[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_ADDRESS_BY_NUMBERS = re.compile(r"\[.*\]|[0-9.]+")
_MOST_DECODINGS = 5
_UNQUOTED = "/:@!$&'()*+,;=~"
_ANY_BYTES = "surrogateescape"


@dataclass(frozen=True)
class Site:
    """A host with its subdomains, at one port, or at the standard ones of http and https."""

    host: str
    port: int | None = None

    def __str__(self) -> str:
        return self.host if self.port is None else f"{self.host}:{self.port}"

    @property
    def has_subdomains(self) -> bool:
        """Whether hosts can lie below this one: not below an IP address, nor a top-level name."""
        return "." in self.host and not _ADDRESS_BY_NUMBERS.fullmatch(self.host)

    def holds(self, page: str) -> bool:
        """Return whether a page lies on this site or one of its subdomains."""
        place = _place(page)
        if place is None or place.port != self.port:
            return False
        below = self.has_subdomains and place.host.endswith(f".{self.host}")
        return place.host == self.host or below


@dataclass(frozen=True)
class PagePrefix:
    """An address with everything below it: the same host, and a path that goes on at a slash."""

    scheme: str
    host: str
    port: int | None
    path: str

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        path = quote(self.path, safe=_UNQUOTED, errors=_ANY_BYTES)
        return f"{self.scheme}://{self.host}{port}{path}/"

    def holds(self, page: str) -> bool:
        """Return whether a page is the one at this address, or lies below it."""
        place = _place(page)
        if place is None or (place.host, place.port) != (self.host, self.port):
            return False
        if not self.path:
            return True
        if not _is_unambiguous(place.path):
            return False
        path = _decoded(place.path)
        return path == self.path or path.startswith(f"{self.path}/")


def read_site(value: str) -> Site:
    """Read ``host`` or ``host:port``, or the address of a site's front page.

    Raises
    ------
    ValueError
        Said of what else it is, for whoever wrote it.
    """
    value = value.strip()
    address = value if "://" in value else f"http://{value}"
    place = _place(address)
    if place is None or not _HOST.fullmatch(place.host):
        raise ValueError("name a host, such as example.org or example.org:8080")
    if place.path != "/" or place.has_query:
        raise ValueError("a site is a host without a path; take a page prefix for a part of it")
    return Site(place.host, place.port)


def read_page_prefix(value: str) -> PagePrefix:
    """Read an address such as ``https://example.org/blog``.

    Raises
    ------
    ValueError
        Said of what is wrong, for whoever wrote it.
    """
    place = _place(value.strip())
    if place is None:
        raise ValueError("name an address that starts with http:// or https://, without user@")
    if place.has_query:
        raise ValueError("leave out what follows ? or #: only a path can be gone on from")
    if not _is_unambiguous(place.path):
        raise ValueError("the path has encoded slashes or dots; write it plainly")
    return PagePrefix(place.scheme, place.host, place.port, _decoded(place.path).rstrip("/"))


def same_page(one: str, other: str) -> bool:
    """Return whether two addresses mean the same page, whatever follows #."""
    return _without_fragment(one) == _without_fragment(other) is not None


@dataclass(frozen=True)
class _Place:
    scheme: str
    host: str
    port: int | None
    path: str
    has_query: bool


@lru_cache(maxsize=1024)
def _place(address: str) -> _Place | None:
    """Read an address as browsers do; None when others may read it otherwise."""
    if not _PLAIN.fullmatch(address):
        return None
    try:
        url = AnyHttpUrl(address)
    except ValidationError:
        return None
    if url.host is None:
        return None
    return _Place(
        scheme=url.scheme,
        host=url.host.rstrip("."),
        port=None if url.port in _STANDARD_PORTS else url.port,
        path=url.path or "/",
        has_query=url.query is not None or url.fragment is not None,
    )


def _without_fragment(address: str) -> str | None:
    try:
        return str(AnyHttpUrl(address)).partition("#")[0]
    except ValidationError:
        return None


def _decoded(path: str) -> str:
    return unquote(path, errors=_ANY_BYTES)


def _is_unambiguous(path: str) -> bool:
    """Return whether every server takes a path for the same: no hidden slash, dots or encoding."""
    decoded = path
    for _ in range(_MOST_DECODINGS):
        segments = decoded.replace("\\", "/").split("/")
        if any(segment.partition(";")[0] in {".", ".."} for segment in segments):
            return False
        once = _decoded(decoded)
        if once == decoded:
            return True
        hides = once.count("/") > decoded.count("/") or "\\" in once or "\x00" in once
        if hides:
            return False
        decoded = once
    return False
