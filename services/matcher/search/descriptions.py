"""Local features of protected images, read when they are candidates, and kept for the next time."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping

from services.matcher.search.store import ImageStore

_OF_AN_ENTRY = 200  # bytes that an entry takes beside what it holds


class DescriptionCache:
    """Packed descriptions, the least recently used of which are given up.

    Parameters
    ----------
    images
        Where they are read.
    max_bytes
        That they take here.
    """

    def __init__(self, images: ImageStore, max_bytes: int) -> None:
        self._images = images
        self._max_bytes = max_bytes
        self._kept: OrderedDict[str, bytes | None] = OrderedDict()
        self.size_bytes = 0

    async def read(self, ids: Iterable[str]) -> Mapping[str, bytes | None]:
        """Return descriptions by id; None for images that have none."""
        wanted = list(ids)
        found = {id_: self._kept[id_] for id_ in wanted if id_ in self._kept}
        for id_ in found:
            self._kept.move_to_end(id_)
        missing = [id_ for id_ in wanted if id_ not in found]
        if missing:
            read = await self._images.descriptions(missing)
            for id_ in missing:
                found[id_] = read.get(id_)
                self._keep(id_, found[id_])
        return found

    def forget(self, ids: Iterable[str]) -> None:
        """Read these anew next time."""
        for id_ in ids:
            if id_ in self._kept:
                self.size_bytes -= _size(self._kept.pop(id_))

    def _keep(self, id_: str, packed: bytes | None) -> None:
        self.forget([id_])
        self._kept[id_] = packed
        self.size_bytes += _size(packed)
        while self.size_bytes > self._max_bytes and self._kept:
            _, given_up = self._kept.popitem(last=False)
            self.size_bytes -= _size(given_up)


def _size(packed: bytes | None) -> int:
    return len(packed or b"") + _OF_AN_ENTRY
