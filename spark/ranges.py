"""Pieces of a collection: a tag, and a range of ids in it.

Our ids are random hexadecimal digits, so equal ranges hold about as many documents each and no
look at the documents is needed to cut them.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

__all__ = ["Range", "cut", "packed"]

_DIGITS = 8


class Range(NamedTuple):
    """The documents of a tag whose ids lie in ``low <= id < high``; None is no bound."""

    tag: str
    low: str | None
    high: str | None

    @property
    def filter(self) -> Mapping[str, Any]:
        """What finds them, by the index of the shard key."""
        bounds = {"$gte": self.low, "$lt": self.high}
        ids = {name: bound for name, bound in bounds.items() if bound is not None}
        return {"tag": self.tag, **({"_id": ids} if ids else {})}


def cut(counts: Mapping[str, int], size: int) -> list[Range]:
    """Cut all documents into ranges of about a size.

    Parameters
    ----------
    counts
        How many documents each tag has.
    size
        How many a range should have at most.
    """
    return [part for tag in sorted(counts) for part in _cut(tag, -(-counts[tag] // size) or 1)]


def _cut(tag: str, parts: int) -> list[Range]:
    bounds = [
        f"{number * 16**_DIGITS // parts:0{_DIGITS}x}" if 0 < number < parts else None
        for number in range(parts + 1)
    ]
    return [Range(tag, low, high) for low, high in itertools.pairwise(bounds)]


def packed(counts: Mapping[str, int], size: int) -> list[list[Range]]:
    """Put ranges of small tags together, so that none of the packs is much smaller than a size."""
    packs: list[list[Range]] = []
    room = 0.0
    for part, share in _shares(cut(counts, size), counts):
        if not packs or share > room:
            packs.append([])
            room = size
        packs[-1].append(part)
        room -= share
    return packs


def _shares(parts: Sequence[Range], counts: Mapping[str, int]) -> list[tuple[Range, float]]:
    of_tag = {tag: sum(part.tag == tag for part in parts) for tag in counts}
    return [(part, counts[part.tag] / of_tag[part.tag]) for part in parts]
