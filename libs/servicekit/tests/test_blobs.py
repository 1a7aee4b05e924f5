import asyncio
import hashlib
import os
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from srpitp_servicekit.blobs import BlobKind, BlobStore


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "new" / "blobs")


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_what_was_put_is_got(blobs: BlobStore, tmp_path: Path) -> None:
    address = await blobs.put(BlobKind.PROTECTED, b"bytes")
    assert address == f"protected/{hashlib.sha256(b'bytes').hexdigest()}"
    assert await blobs.get(address) == b"bytes"
    assert await blobs.put(BlobKind.PROTECTED, b"bytes") == address
    assert len(files(tmp_path)) == 1


async def test_kinds_are_kept_and_deleted_apart(blobs: BlobStore) -> None:
    mine = await blobs.put(BlobKind.PROTECTED, b"bytes")
    evidence = await blobs.put(BlobKind.EVIDENCE, b"bytes")
    await blobs.delete(mine)
    await blobs.delete(mine)
    assert await blobs.get(mine) is None
    assert await blobs.get(evidence) == b"bytes"


async def test_empty_bytes_are_bytes(blobs: BlobStore) -> None:
    assert await blobs.get(await blobs.put(BlobKind.EVIDENCE, b"")) == b""


async def test_many_puts_at_once_leave_one_file(blobs: BlobStore, tmp_path: Path) -> None:
    data = os.urandom(300_000)
    addresses = await asyncio.gather(*(blobs.put(BlobKind.EVIDENCE, data) for _ in range(20)))
    assert len({*addresses}) == len(files(tmp_path)) == 1
    assert await blobs.get(addresses[0]) == data


async def test_rot_is_noticed_and_mended_by_the_next_put(blobs: BlobStore, tmp_path: Path) -> None:
    address = await blobs.put(BlobKind.PROTECTED, b"bytes")
    [file] = files(tmp_path)
    for rotten in (b"Bytes", b"byte", b""):
        file.write_bytes(rotten)
        assert await blobs.get(address) is None
    await blobs.put(BlobKind.PROTECTED, b"bytes")
    assert await blobs.get(address) == b"bytes"


async def test_write_that_fails_leaves_nothing(
    blobs: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="no space"):
            await blobs.put(BlobKind.EVIDENCE, b"bytes")
    assert files(tmp_path) == []


BAD = [
    "",
    "protected/",
    "protected/../../etc/passwd",
    "other/" + 64 * "a",
    "protected/" + 64 * "A",
    "protected/" + 63 * "a",
    "protected/" + 64 * "a" + "\n",
    "/protected/" + 64 * "a",
]


@pytest.mark.parametrize("bad", BAD)
async def test_address_that_is_none_is_refused(blobs: BlobStore, bad: str) -> None:
    with pytest.raises(ValueError, match="not a blob's address"):
        await blobs.get(bad)
    with pytest.raises(ValueError, match="not a blob's address"):
        await blobs.delete(bad)


@given(st.text())
def test_no_address_leads_out_of_the_folder(address: str) -> None:
    with pytest.raises(ValueError, match="not a blob's address"):
        BlobStore(Path("blobs"))._path(address)
