"""Bytes at rest, addressed by their content: originals under protection, and evidence."""

import asyncio
import hashlib
import os
import re
import tempfile
from enum import StrEnum
from pathlib import Path


class BlobKind(StrEnum):
    """Why bytes are kept; each kind is kept and deleted by itself."""

    PROTECTED = "protected"
    EVIDENCE = "evidence"


_ADDRESS = re.compile(r"(protected|evidence)/[0-9a-f]{64}")


class BlobStore:
    """Blobs as files below a folder.

    An address is ``<kind>/<SHA-256 of the bytes>``, so storing the same bytes twice stores them
    once, and bytes that rotted are noticed when they are read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, kind: BlobKind, data: bytes) -> str:
        """Store bytes durably and return their address."""
        return await asyncio.to_thread(self._put, kind, data)

    async def get(self, address: str) -> bytes | None:
        """Return the bytes at an address, or None when there are none, or not those any more."""
        return await asyncio.to_thread(self._get, address)

    async def delete(self, address: str) -> None:
        """Delete the bytes at an address, if there are any."""
        await asyncio.to_thread(self._path(address).unlink, missing_ok=True)

    def _path(self, address: str) -> Path:
        if not _ADDRESS.fullmatch(address):
            raise ValueError(f"not a blob's address: {address!r}")
        kind, digest = address.split("/")
        return self._folder / kind / digest[:2] / digest

    def _put(self, kind: BlobKind, data: bytes) -> str:
        address = f"{kind}/{hashlib.sha256(data).hexdigest()}"
        path = self._path(address)
        if self._get(address) is not None:  # not merely there: what rotted is written anew
            return address
        path.parent.mkdir(parents=True, exist_ok=True)
        # A reader sees the whole blob or none, and a crash leaves the whole blob or none.
        handle, name = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
        return address

    def _get(self, address: str) -> bytes | None:
        try:
            data = self._path(address).read_bytes()
        except FileNotFoundError:
            return None
        intact = hashlib.sha256(data).hexdigest() == address.split("/")[1]
        return data if intact else None


def _sync_folder(folder: Path) -> None:
    """Make a new name in a folder survive a power cut, as its bytes do."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
