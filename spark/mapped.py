"""Objects made of arrays, in files that several processes map and share.

Pickled with their arrays apart (PEP 574): what is opened are views of the file, so a gigabyte is
open in milliseconds and lies in memory once, however many processes look at it. A file is written
by ourselves, below a folder that nobody else may write to: unpickling runs what it says.
"""

import mmap
import os
import pickle
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

__all__ = ["dump", "load"]

_ALIGNED, _CHUNK = 4096, 2**20
_MAGIC = b"SRPM\x01"
_SIZE = struct.Struct("<q")


def dump(made: Any, path: Path) -> None:
    """Write an object; a file of that name is replaced, even while it is mapped."""
    buffers: list[pickle.PickleBuffer] = []
    packed = pickle.dumps(made, protocol=5, buffer_callback=buffers.append)
    raws = [buffer.raw() for buffer in buffers]
    head = [_MAGIC, _SIZE.pack(len(packed)), _SIZE.pack(len(raws))]
    head += [_SIZE.pack(raw.nbytes) for raw in raws]
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with unfinished.open("wb") as file:
        file.write(b"".join([*head, packed]))
        for raw in raws:
            file.seek(_aligned(file.tell()))
            _write(file, raw)
        file.truncate(_aligned(file.tell()))
    unfinished.replace(path)


def _write(file: BinaryIO, raw: memoryview) -> None:
    """Write bytes, but leave a hole where arrays have reserved room that they do not use yet."""
    for start in range(0, raw.nbytes, _CHUNK):
        chunk = raw[start : start + _CHUNK]
        if np.frombuffer(chunk, np.uint8).any():
            file.write(chunk)
        else:
            file.seek(chunk.nbytes, os.SEEK_CUR)


def load(path: Path) -> Any:
    """Map an object that `dump` wrote; what is changed in it stays in this process.

    Raises
    ------
    ValueError
        The file is none of ours, or is cut off.
    """
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    view = memoryview(mapped)
    at = len(_MAGIC) + 2 * _SIZE.size
    if view[: len(_MAGIC)] != _MAGIC or len(view) < at:
        raise ValueError(f"{path} is no file of ours")
    size, count = (_SIZE.unpack_from(view, len(_MAGIC) + k * _SIZE.size)[0] for k in (0, 1))
    sizes = [_SIZE.unpack_from(view, at + k * _SIZE.size)[0] for k in range(count)]
    at += count * _SIZE.size
    packed, at = view[at : at + size], at + size
    buffers = []
    for size in sizes:
        at = _aligned(at)
        buffers.append(view[at : at + size])
        at += size
    if at > len(view):
        raise ValueError(f"{path} is cut off")
    return pickle.loads(packed, buffers=buffers)  # noqa: S301  (see above: our own file)


def _aligned(at: int) -> int:
    return -(-at // _ALIGNED) * _ALIGNED
