"""Files that are sent to us: counted while they arrive, and kept on disk beyond a megabyte.

A route reads its upload itself, after it knows its caller: FastAPI reads a declared body before
any dependency runs, so a stranger could make us take it all before the 401. What arrives before
that is bounded by `srpitp_servicekit.body_limit`.
"""

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.types import Message

from srpitp_contracts.problems import ProblemCode
from srpitp_servicekit import body_limit
from srpitp_servicekit.problems import ImageRefusedError, InvalidRequestError

__all__ = [
    "IMAGE_BODY",
    "Files",
    "Form",
    "UploadFile",
    "is_form",
    "received_file",
    "received_files",
    "received_form",
]

_IN_MEMORY = 2**20
_AROUND_THE_FILE = 64 * 2**10  # a multipart body has boundaries and small fields beside the file

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FORM = {
    "schema": {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "string", "format": "binary"}},
    }
}
IMAGE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": _BINARY,
            "image/*": _BINARY,
            "multipart/form-data": _FORM,
        },
    }
}
"""OpenAPI of a route that takes an image by `received_file`, which FastAPI does not see."""


@dataclass(frozen=True)
class Form:
    """A file, and what was said of it beside."""

    file: UploadFile
    fields: Mapping[str, str]


@dataclass(frozen=True)
class Files:
    """Files by the name of their field, and what was said of them beside."""

    files: Mapping[str, UploadFile]
    fields: Mapping[str, str]


def is_form(request: Request) -> bool:
    """Return whether the body is a form with a file in it, rather than the file itself."""
    return request.headers.get("content-type", "").lower().startswith("multipart/form-data")


@asynccontextmanager
async def received_form(request: Request, *, max_bytes: int) -> AsyncIterator[Form]:
    """Read a form whose field ``file`` is a file of at most ``max_bytes``.

    Raises
    ------
    ImageRefusedError
        When it has more, as soon as that is known; the rest is not read.
    InvalidRequestError
        When there is no such field, or the body is no form.
    """
    async with received_files(request, "file", max_bytes=max_bytes) as form:
        yield Form(form.files["file"], form.fields)


@asynccontextmanager
async def received_files(request: Request, *names: str, max_bytes: int) -> AsyncIterator[Files]:
    """Read a form with a file of at most ``max_bytes`` in each of the fields.

    Raises
    ------
    ImageRefusedError, InvalidRequestError
        As `received_form` does.
    """
    capped = _capped(request, len(names) * max_bytes, spare=_AROUND_THE_FILE)
    async with capped.form(
        max_files=len(names), max_fields=20, max_part_size=_AROUND_THE_FILE
    ) as form:
        files = {}
        for name in names:
            file = form.get(name)
            if not isinstance(file, UploadFile):
                raise InvalidRequestError(f"The form has no file in its field '{name}'.")
            if (file.size or 0) > max_bytes:
                raise _too_large(max_bytes)
            files[name] = file
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        yield Files(files, fields)


@asynccontextmanager
async def received_file(request: Request, *, max_bytes: int) -> AsyncIterator[UploadFile]:
    """Read a file of at most ``max_bytes``: a form's field ``file``, or the whole body.

    Raises
    ------
    ImageRefusedError, InvalidRequestError
        As `received_form` does.
    """
    if is_form(request):
        async with received_form(request, max_bytes=max_bytes) as form:
            yield form.file
        return
    # Starlette's UploadFile writes in a thread once the file is on disk.
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
        file = UploadFile(cast(BinaryIO, spool), size=0)
        async for chunk in _capped(request, max_bytes).stream():
            await file.write(chunk)
        await file.seek(0)
        yield file


def _capped(request: Request, max_bytes: int, *, spare: int = 0) -> Request:
    """Return the request anew; reading more of its body than allowed is an error."""
    received = 0

    async def receive() -> Message:
        nonlocal received
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise InvalidRequestError("The connection ended before the whole file was here.")
        received += len(message.get("body", b""))
        if received > max_bytes + spare:
            raise _too_large(max_bytes)
        return message

    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes + spare:
        raise _too_large(max_bytes)
    body_limit.lift(request)
    return Request(request.scope, receive)


def _too_large(max_bytes: int) -> ImageRefusedError:
    return ImageRefusedError(
        ProblemCode.IMAGE_TOO_LARGE,
        f"The file has more than {max_bytes:,} bytes; send a smaller one.",
    )
