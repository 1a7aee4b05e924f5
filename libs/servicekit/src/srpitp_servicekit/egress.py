"""Fetching an address that someone else gave: resolved, checked, and pinned to what was checked.

A name may resolve to one address when it is checked and to another when it is used (DNS
rebinding), so the connection goes to the very address that was checked; redirects are checked
again, one by one.
"""

import asyncio
import ipaddress
import logging
import socket
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import httpx

from srpitp_servicekit.problems import AddressRefusedError, AddressUnreachableError

IPAddress = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

logger = logging.getLogger(__name__)

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_PORTS = {"http": 80, "https": 443}
_MAX_REDIRECTS = 5
_EITHER_ZLIB_OR_GZIP = 32 + zlib.MAX_WBITS
USER_AGENT = "srpitp/0.1 (image protection)"


class AddressPolicy:
    """Which IP addresses may be connected to: public ones, and those of the allowed networks."""

    def __init__(self, allow: Sequence[Network] = ()) -> None:
        self._allow = tuple(allow)

    def permits(self, address: IPAddress) -> bool:
        """Return whether an IP address may be connected to."""
        address = _unwrapped(address)
        if any(address in network for network in self._allow if network.version == address.version):
            return True
        # is_global is false for loopback, private, link-local (cloud metadata), carrier NAT and
        # documentation ranges. Multicast has global parts of its own; reserved holds the ways
        # by which IPv6 carries IPv4; site-local is the private range of old.
        return address.is_global and not (
            address.is_multicast
            or address.is_reserved
            or (isinstance(address, IPv6Address) and address.is_site_local)
        )

    async def resolve(self, address: httpx.URL | str) -> IPAddress:
        """Return an IP address of a web address's host that may be connected to.

        Raises
        ------
        AddressRefusedError
            When one of its addresses lies where we must not go (a name that mixes both is a
            trap), or when it is not a web address.
        AddressUnreachableError
            When the name does not resolve.
        """
        try:
            url = httpx.URL(address)
        except httpx.InvalidURL as error:
            raise AddressRefusedError("This is not a web address.") from error
        host = url.raw_host.decode("ascii")
        if url.scheme not in _PORTS or not host:
            raise AddressRefusedError("Only http and https addresses are fetched.")
        loop = asyncio.get_running_loop()
        port = url.port or _PORTS[url.scheme]
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            raise AddressUnreachableError(f"The host {host!r} does not resolve.") from error
        addresses = [ipaddress.ip_address(entry[4][0]) for entry in found]
        if not addresses:
            raise AddressUnreachableError(f"The host {host!r} does not resolve.")
        for ip_address in addresses:
            if not self.permits(ip_address):
                # Where a name inside our network leads is nothing that a caller may learn.
                logger.warning("refused to connect to %s: it leads to %s", host, ip_address)
                raise AddressRefusedError(
                    f"The host {host!r} does not lead to a public address; an operator may allow "
                    "its network with SRPITP_EGRESS_ALLOW."
                )
        return addresses[0]


def _unwrapped(address: IPAddress) -> IPAddress:
    """Return the IPv4 address that an IPv6 one carries, if it does: it is where one ends up."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address.sixtofour:
            return address.sixtofour
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


class GuardedTransport(httpx.AsyncHTTPTransport):
    """Connects only to addresses that the policy permits, and to the very one that was checked."""

    def __init__(self, policy: AddressPolicy) -> None:
        # No keep-alive: a pinned connection serves the one request whose host was checked.
        super().__init__(limits=httpx.Limits(max_keepalive_connections=0), trust_env=False)
        self._policy = policy

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Check, pin and send a request."""
        address = await self._policy.resolve(request.url)
        # The Host header was set from the name when the request was built, and stays; the
        # certificate is checked against the name, too.
        pinned = httpx.Request(
            request.method,
            request.url.copy_with(host=str(address)),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": request.url.raw_host.decode("ascii")},
        )
        return await super().handle_async_request(pinned)


@dataclass(frozen=True)
class Fetched:
    """What a server sent us."""

    address: str
    status: int
    headers: httpx.Headers
    body: bytes


def guarded_client(policy: AddressPolicy, *, timeout_seconds: float = 20) -> httpx.AsyncClient:
    """Return a client for addresses that someone else gave; it follows no redirect by itself."""
    return httpx.AsyncClient(
        transport=GuardedTransport(policy),
        timeout=timeout_seconds,
        follow_redirects=False,
        trust_env=False,
        # A packed answer may be a bomb, and a cookie would be kept for as long as we run.
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
    )


async def fetch(
    client: httpx.AsyncClient, address: str, *, max_bytes: int, timeout_seconds: float = 30
) -> Fetched:
    """Get an address with a guarded client.

    Parameters
    ----------
    client
        From `guarded_client`.
    address
        The address, http or https.
    max_bytes
        More than this is not read, nor unpacked.
    timeout_seconds
        For the whole fetch, redirects included.

    Raises
    ------
    AddressRefusedError
        When the address, or one that it redirects to, must not be fetched.
    AddressUnreachableError
        When it does not answer in time, redirects without end, answers an error or too much.
    """
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _follow(client, address, max_bytes)
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        reason = str(error) or type(error).__name__
        raise AddressUnreachableError(f"{address} did not answer as it should: {reason}") from error


async def _follow(client: httpx.AsyncClient, address: str, max_bytes: int) -> Fetched:
    for _ in range(_MAX_REDIRECTS + 1):
        async with client.stream("GET", address) as response:
            if location := response.has_redirect_location and response.headers["location"]:
                address = str(httpx.URL(address).join(location))
                continue
            if response.status_code != httpx.codes.OK:
                raise AddressUnreachableError(f"{address} answered {response.status_code}.")
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > max_bytes:
                    raise AddressUnreachableError(f"{address} sent more than {max_bytes} bytes.")
            content = _unpacked(bytes(body), response.headers, max_bytes)
            return Fetched(address, response.status_code, response.headers, content)
    raise AddressUnreachableError(f"{address} redirects more than {_MAX_REDIRECTS} times.")


def _unpacked(body: bytes, headers: httpx.Headers, max_bytes: int) -> bytes:
    """Return what a server packed although we asked it not to; never more than ``max_bytes``."""
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding == "identity":
        return body
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise AddressUnreachableError(f"The answer is packed in an unasked way: {encoding!r}.")
    unpacker = zlib.decompressobj(_EITHER_ZLIB_OR_GZIP)
    try:
        content = unpacker.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise AddressUnreachableError("The packed answer is broken.") from error
    if len(content) > max_bytes:
        raise AddressUnreachableError(f"The answer unpacks to more than {max_bytes} bytes.")
    if not unpacker.eof:
        raise AddressUnreachableError("The packed answer is cut off.")
    return content
