import asyncio
import gzip
import ipaddress
import socket
import ssl
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import certifi
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from srpitp_contracts.model import utc_now
from srpitp_servicekit.egress import AddressPolicy, Fetched, fetch, guarded_client
from srpitp_servicekit.problems import AddressRefusedError, AddressUnreachableError

LOOPBACK = AddressPolicy([ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")])
PUBLIC_ONLY = AddressPolicy()

Reply = Callable[[asyncio.StreamWriter], Awaitable[None]]


def answer(body: bytes = b"", status: int = 200, **headers: str) -> Reply:
    async def reply(writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await writer.drain()

    return reply


@dataclass
class Site:
    """A server that replies what it is told to, path by path."""

    port: int = 0
    replies: dict[str, Reply] = field(default_factory=dict)
    heads: list[str] = field(default_factory=list)

    def address(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            await self.replies[head.split()[1]](writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def a_site(host: str = "127.0.0.1", **options: Any) -> AsyncIterator[Site]:
    site = Site()
    server = await asyncio.start_server(site.serve, host, 0, **options)
    site.port = server.sockets[0].getsockname()[1]
    async with server:
        yield site


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with a_site() as site:
        yield site


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with guarded_client(LOOPBACK) as client:
        yield client


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """Names and what they resolve to, one list for each time that they are asked for."""
    table: dict[str, list[list[str]]] = {}
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        if host not in table:
            return real(host, port, *args, **options)
        if not table[host]:
            raise socket.gaierror(socket.EAI_NONAME, "asked once too often")
        found = table[host].pop(0)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return table


async def get(client: httpx.AsyncClient, address: str, **options: Any) -> Fetched:
    return await fetch(client, address, **{"max_bytes": 10_000, "timeout_seconds": 5} | options)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.2.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0:127.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::10.0.0.1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a00:1::",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%lo",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
    ],
)
def test_address_that_is_not_public_is_refused(address: str) -> None:
    assert not PUBLIC_ONLY.permits(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"],
)
def test_public_address_is_permitted(address: str) -> None:
    assert PUBLIC_ONLY.permits(ipaddress.ip_address(address))


def test_allowed_network_is_permitted_however_it_is_written() -> None:
    policy = AddressPolicy([ipaddress.ip_network("10.1.0.0/16")])
    assert policy.permits(ipaddress.ip_address("10.1.2.3"))
    assert policy.permits(ipaddress.ip_address("::ffff:10.1.2.3"))
    assert not policy.permits(ipaddress.ip_address("10.2.0.1"))
    assert not policy.permits(ipaddress.ip_address("::1"))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "0",
        "①②⑦.0.0.1",
        "localhost.",
    ],
)
async def test_host_in_disguise_is_refused(host: str) -> None:
    async with guarded_client(PUBLIC_ONLY) as client:
        for address in (f"http://{host}/", f"https://{host}:8443/x"):
            with pytest.raises((AddressRefusedError, AddressUnreachableError)):
                await get(client, address)


@pytest.mark.parametrize(
    "address",
    ["ftp://127.0.0.1/", "file:///etc/passwd", "http://", "gopher://x/", "/x", "http:///x"],
)
async def test_only_web_addresses_are_fetched(client: httpx.AsyncClient, address: str) -> None:
    with pytest.raises((AddressRefusedError, AddressUnreachableError)):
        await get(client, address)


async def test_fetches(site: Site, client: httpx.AsyncClient) -> None:
    site.replies["/a?b=c"] = answer(b"bytes", Content_Type="image/png")
    fetched = await get(client, site.address("/a?b=c"))
    assert (fetched.body, fetched.status) == (b"bytes", 200)
    assert fetched.headers["content-type"] == "image/png"
    assert "Accept-Encoding: identity" in site.heads[0]
    assert "User-Agent: srpitp" in site.heads[0]


async def test_connects_to_the_address_that_was_checked(
    site: Site, client: httpx.AsyncClient, names: dict[str, list[list[str]]]
) -> None:
    names["rebinds.example"] = [["127.0.0.1"]]  # asked a second time, the name fails
    site.replies["/"] = answer(b"pinned")
    fetched = await get(client, site.address("/", "rebinds.example"))
    assert fetched.body == b"pinned"
    assert fetched.address == site.address("/", "rebinds.example")
    assert f"Host: rebinds.example:{site.port}" in site.heads[0]


async def test_name_that_is_public_when_checked_and_private_when_used(
    names: dict[str, list[list[str]]],
) -> None:
    names["rebinds.example"] = [["93.184.216.34"], ["10.0.0.1"]]
    await PUBLIC_ONLY.resolve("http://rebinds.example/")
    async with guarded_client(PUBLIC_ONLY) as client:
        with pytest.raises(AddressRefusedError):
            await get(client, "http://rebinds.example/")


async def test_name_that_mixes_public_and_private_is_a_trap(
    names: dict[str, list[list[str]]],
) -> None:
    names["mixed.example"] = [["93.184.216.34", "192.168.0.1"]]
    with pytest.raises(AddressRefusedError) as caught:
        await PUBLIC_ONLY.resolve("http://mixed.example/")
    assert "192.168" not in caught.value.detail


async def test_name_that_does_not_resolve(names: dict[str, list[list[str]]]) -> None:
    names["nowhere.example"] = []
    with pytest.raises(AddressUnreachableError, match="does not resolve"):
        await PUBLIC_ONLY.resolve("http://nowhere.example/")
    with pytest.raises(AddressUnreachableError, match="does not resolve"):
        await PUBLIC_ONLY.resolve(f"http://{'a' * 64}.example/")


async def test_redirects_are_followed_by_name_and_checked(
    site: Site, client: httpx.AsyncClient, names: dict[str, list[list[str]]]
) -> None:
    names["site.example"] = [["127.0.0.1"]] * 3
    site.replies["/a/1"] = answer(status=302, Location="2?x")
    site.replies["/a/2?x"] = answer(status=301, Location="/3")
    site.replies["/3"] = answer(b"found")
    fetched = await get(client, site.address("/a/1", "site.example"))
    assert fetched.body == b"found"
    assert fetched.address == site.address("/3", "site.example")
    assert all(f"Host: site.example:{site.port}" in head for head in site.heads)


@pytest.mark.parametrize(
    "target",
    ["http://10.0.0.1/", "//169.254.169.254/", "file:///etc/passwd", "http://[fd00::1]/"],
)
async def test_redirect_into_the_inside_is_refused(
    site: Site, client: httpx.AsyncClient, target: str
) -> None:
    site.replies["/"] = answer(status=302, Location=target)
    with pytest.raises(AddressRefusedError):
        await get(client, site.address())


@pytest.mark.parametrize("target", ["http://[", "http://a b/", "", "http://:x/"])
async def test_redirect_to_nonsense_is_an_answer(
    site: Site, client: httpx.AsyncClient, target: str
) -> None:
    site.replies["/"] = answer(status=302, Location=target)
    with pytest.raises((AddressRefusedError, AddressUnreachableError)):
        await get(client, site.address())


async def test_redirects_end(site: Site, client: httpx.AsyncClient) -> None:
    site.replies["/"] = answer(status=302, Location="/")
    with pytest.raises(AddressUnreachableError, match="redirects more than"):
        await get(client, site.address())
    assert len(site.heads) == 6


async def test_cookies_are_not_kept(site: Site, client: httpx.AsyncClient) -> None:
    site.replies["/"] = answer(status=302, Location="/2", Set_Cookie="a=b; Path=/")
    site.replies["/2"] = answer(Set_Cookie="c=d")
    await get(client, site.address())
    await get(client, site.address("/2"))
    assert not client.cookies
    assert "cookie" not in "".join(site.heads).lower()


async def test_credentials_stay_with_their_host(site: Site, client: httpx.AsyncClient) -> None:
    async with a_site("127.0.0.2") as other:
        other.replies["/"] = answer(b"ok")
        site.replies["/"] = answer(status=302, Location=other.address("/", "127.0.0.2"))
        await get(client, site.address("/", "user:word@127.0.0.1"))
    assert "Authorization: Basic" in site.heads[0]
    assert "authorization" not in other.heads[0].lower()


async def test_error_status_is_no_answer(site: Site, client: httpx.AsyncClient) -> None:
    site.replies["/"] = answer(b"no", status=404)
    with pytest.raises(AddressUnreachableError, match="answered 404"):
        await get(client, site.address())


async def test_nobody_listens(client: httpx.AsyncClient) -> None:
    with pytest.raises(AddressUnreachableError):
        await get(client, "http://127.0.0.1:9/")


async def test_size_is_capped(site: Site, client: httpx.AsyncClient) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(bytes(65536))
            await writer.drain()

    site.replies |= {"/": answer(bytes(10_000)), "/more": answer(bytes(10_001)), "/all": endless}
    assert len((await get(client, site.address())).body) == 10_000
    for path in ("/more", "/all"):
        with pytest.raises(AddressUnreachableError, match="more than 10000 bytes"):
            await get(client, site.address(path))


async def test_packed_answer_is_unpacked(site: Site, client: httpx.AsyncClient) -> None:
    site.replies["/gzip"] = answer(gzip.compress(b"unpacked"), Content_Encoding="gzip")
    site.replies["/deflate"] = answer(zlib.compress(b"unpacked"), Content_Encoding="deflate")
    for path in ("/gzip", "/deflate"):
        assert (await get(client, site.address(path))).body == b"unpacked"


async def test_bomb_does_not_go_off(site: Site, client: httpx.AsyncClient) -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(2**20)) for _ in range(200)) + packer.flush()
    assert len(bomb) < 250_000
    site.replies["/"] = answer(bomb, Content_Encoding="gzip")
    tracemalloc.start()
    try:
        with pytest.raises(AddressUnreachableError, match="unpacks to more than 300000 bytes"):
            await get(client, site.address(), max_bytes=300_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"not packed", "gzip"),
        (gzip.compress(bytes(1000))[:-9], "gzip"),
        (b"", "gzip"),
        (b"x", "br"),
        (gzip.compress(gzip.compress(b"x")), "gzip, gzip"),
    ],
)
async def test_broken_packing_is_an_answer(
    site: Site, client: httpx.AsyncClient, body: bytes, encoding: str
) -> None:
    site.replies["/"] = answer(body, Content_Encoding=encoding)
    with pytest.raises(AddressUnreachableError, match="packed"):
        await get(client, site.address())


@pytest.mark.parametrize("part", ["head", "body"])
async def test_drip_runs_into_the_time_limit(
    site: Site, client: httpx.AsyncClient, part: str
) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nX: " + (b"" if part == "head" else b"\r\n\r\n"))
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    site.replies["/"] = drip
    async with asyncio.timeout(4):
        with pytest.raises(AddressUnreachableError, match="TimeoutError"):
            await get(client, site.address(), timeout_seconds=0.5)


async def test_broken_answers(site: Site, client: httpx.AsyncClient) -> None:
    def raw(data: bytes) -> Reply:
        async def reply(writer: asyncio.StreamWriter) -> None:
            writer.write(data)
            await writer.drain()

        return reply

    for data in (
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ):
        site.replies["/"] = raw(data)
        with pytest.raises(AddressUnreachableError):
            await get(client, site.address())


async def test_ipv6_literal(client: httpx.AsyncClient) -> None:
    try:
        async with a_site("::1") as site:
            site.replies["/"] = answer(b"six")
            assert (await get(client, site.address("/", "[::1]"))).body == b"six"
            assert f"Host: [::1]:{site.port}" in site.heads[0]
    except OSError:
        pytest.skip("this machine has no IPv6")


def certificate(folder: Path, *hosts: str) -> tuple[Path, ssl.SSLContext]:
    """Return a self-signed certificate for some names, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(utc_now() - timedelta(hours=1))
        .not_valid_after(utc_now() + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(h) for h in hosts]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    public, both = folder / "public.pem", folder / "both.pem"
    public.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    both.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + public.read_bytes()
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(both)
    return public, context


async def test_certificate_is_checked_against_the_name_on_a_pinned_connection(
    names: dict[str, list[list[str]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public, context = certificate(tmp_path, "secure.example", "xn--bcher-kva.example")
    asked: list[str | None] = []
    context.sni_callback = lambda _, name, __: asked.append(name)
    monkeypatch.setattr(certifi, "where", lambda: str(public))
    hosts = ["secure.example", "bücher.example", "other.example"]
    for host in ("secure.example", "xn--bcher-kva.example", "other.example"):
        names[host] = [["127.0.0.1"]]
    async with a_site(ssl=context) as site, guarded_client(LOOPBACK) as client:
        site.replies["/"] = answer(b"secure")
        for host in hosts[:2]:
            fetched = await get(client, f"https://{host}:{site.port}/")
            assert fetched.body == b"secure"
        with pytest.raises(AddressUnreachableError, match="certificate"):
            await get(client, f"https://other.example:{site.port}/")
    assert asked == ["secure.example", "xn--bcher-kva.example", "other.example"]
    assert f"Host: xn--bcher-kva.example:{site.port}" in site.heads[1]


async def test_environment_puts_no_proxy_between(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    site.replies["/"] = answer(b"direct")
    async with guarded_client(LOOPBACK) as client:
        assert (await get(client, site.address())).body == b"direct"
