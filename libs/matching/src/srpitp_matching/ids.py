"""Which image lies at which place, at a few bytes an image."""

import hashlib
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from srpitp_fingerprint.column import Column, Keys

__all__ = ["Ids"]

_OURS = re.compile(r"[0-9a-f]{32}")


class Ids:
    """Ids by place, and places by id.

    Ours are 128 bits in hexadecimal, which take 16 bytes here, and as many to be looked up.
    Others are kept in full beside.
    """

    def __init__(self) -> None:
        self._halves = Column(np.uint64, (2,))
        self._first_halves = Keys()
        self._live = Column(np.bool_)
        self._others: dict[bytes, str] = {}

    def extend(self, ids: Sequence[str]) -> None:
        """Append ids, each at the place after the last one."""
        packed = [self._packed(id_) for id_ in ids]
        halves = np.frombuffer(b"".join(packed), "<u8").reshape(-1, 2)
        self._others |= {key: id_ for key, id_ in zip(packed, ids, strict=True) if key.hex() != id_}
        self._halves.extend(halves)
        self._first_halves.extend(halves[:, 0])
        self._live.extend(np.ones(len(ids), np.bool_))

    def __getitem__(self, place: int) -> str:
        key = self._halves.values[place].tobytes()
        return self._others.get(key) or key.hex()

    def place(self, id_: str) -> int | None:
        """Give the place of an id, unless it is not here, or not any more."""
        half, other_half = np.frombuffer(self._packed(id_), "<u8")
        found = self._first_halves.find(half)
        found = found[(self._halves.values[found, 1] == other_half) & self._live.values[found]]
        return int(found[0]) if len(found) else None

    def forget(self, place: int) -> None:
        """Let an id not be found any more; its place stays."""
        self._live.values[place] = False

    def keep(self, places: NDArray[np.int64]) -> None:
        """Keep the ids of these places only, in this order."""
        for column in (self._halves, self._first_halves, self._live):
            column.keep(places)
        if self._others:
            kept = {half.tobytes() for half in self._halves.values}
            self._others = {key: id_ for key, id_ in self._others.items() if key in kept}

    def _packed(self, id_: str) -> bytes:
        if _OURS.fullmatch(id_):
            return bytes.fromhex(id_)
        return hashlib.blake2b(id_.encode(), digest_size=16).digest()
