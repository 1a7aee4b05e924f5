"""Fetching from sites that answer in every way."""

import asyncio
import gzip
import tracemalloc
import zlib

import httpx
import pytest

from srpitp_servicekit.problems import AddressRefusedError, AddressUnreachableError
from tests.sites import Reply, Site, a_site, answer, get


async def test_fetches(site: Site, client: httpx.AsyncClient) -> None:
    site.replies["/a?b=c"] = answer(b"bytes", Content_Type="image/png")
    fetched = await get(client, site.address("/a?b=c"))
    assert (fetched.body, fetched.status) == (b"bytes", 200)
    assert fetched.headers["content-type"] == "image/png"
    assert "Accept-Encoding: identity" in site.heads[0]
    assert "User-Agent: srpitp" in site.heads[0]


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
        (gzip.compress(bytes(1000), mtime=0)[:-9], "gzip"),
        (b"", "gzip"),
        (b"x", "br"),
        (gzip.compress(gzip.compress(b"x", mtime=0), mtime=0), "gzip, gzip"),
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
