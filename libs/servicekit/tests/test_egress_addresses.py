"""Which addresses may be connected to, however they are written and whatever they resolve to."""

import ipaddress
import ssl
from datetime import timedelta
from pathlib import Path

import certifi
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from srpitp_contracts.model import utc_now
from srpitp_servicekit.egress import AddressPolicy, guarded_client
from srpitp_servicekit.problems import AddressRefusedError, AddressUnreachableError
from tests.sites import LOOPBACK, Site, a_site, answer, get

PUBLIC_ONLY = AddressPolicy()


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
