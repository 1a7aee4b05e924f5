"""Which image lies at which place, at a few bytes an image."""

import hashlib
import re
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from srpitp_fingerprint.column import Column

__all__ = ["Ids"]

_OURS = re.compile(r"[0-9a-f]{32}")


class Ids:
    """Ids by place, and places by id.

    Ours are 128 bits in hexadecimal, which take 16 bytes here. Others are kept in full beside. To
    look for some, all are gone through: that takes milliseconds, and no memory.
    """

    def __init__(self) -> None:
        self._halves = Column(np.uint64, (2,))
        self._live = Column(np.bool_)
        self._others: dict[bytes, str] = {}

    def extend(self, ids: Sequence[str]) -> None:
        """Append ids, each at the place after the last one."""
        packed = [self._packed(id_) for id_ in ids]
        self._others |= {key: id_ for key, id_ in zip(packed, ids, strict=True) if key.hex() != id_}
        self.extend_ours(np.frombuffer(b"".join(packed), np.uint8).reshape(-1, 16))

    def extend_ours(self, packed: NDArray[np.uint8]) -> None:
        """Append ids of 128 bits, shape (N, 16)."""
        self._halves.extend(np.ascontiguousarray(packed).view("<u8"))
        self._live.extend(np.ones(len(packed), np.bool_))

    def __getitem__(self, place: int) -> str:
        key = self._halves.values[place].tobytes()
        return self._others.get(key) or key.hex()

    def places(self, ids: Collection[str]) -> NDArray[np.int64]:
        """Give the places of ids, of those that are here still."""
        packed = {self._packed(id_) for id_ in ids}
        wanted = np.frombuffer(b"".join(packed), "<u8").reshape(-1, 2)
        alike = np.isin(self._halves.values[:, 0], wanted[:, 0]) & self._live.values
        found = np.flatnonzero(alike)
        same = [half.tobytes() in packed for half in self._halves.values[found]]
        return found[np.array(same, np.bool_)]

    def forget(self, places: NDArray[np.int64]) -> None:
        """Let ids not be found any more; their places stay."""
        self._live.values[places] = False

    def keep(self, places: NDArray[np.int64]) -> None:
        """Keep the ids of these places only, in this order."""
        for column in (self._halves, self._live):
            column.keep(places)
        if self._others:
            kept = {half.tobytes() for half in self._halves.values}
            self._others = {key: id_ for key, id_ in self._others.items() if key in kept}

    def _packed(self, id_: str) -> bytes:
        if _OURS.fullmatch(id_):
            return bytes.fromhex(id_)
        return hashlib.blake2b(id_.encode(), digest_size=16).digest()
