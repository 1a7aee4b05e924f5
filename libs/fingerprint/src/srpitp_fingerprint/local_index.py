"""Candidates by local features: which protected pictures share points with a detected one.

A crop, a collage, a picture within a picture is far from its original as a whole, and yet full of
its points. Each descriptor is filed under parts of its bits (locality-sensitive hashing); those
filed alike are compared in full, and the pictures with the most points found are the candidates.

In each of eight tables the points under one key form a chain, the latest first. So points are added
one by one at no more cost than all at once, and where they lie depends on nothing but themselves.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .column import Column
from .features import DESCRIPTOR_BYTES, LocalFeatures
from .points import kernel

__all__ = ["LocalIndex"]

_TABLES, _MOST_KEY_BITS, _LEAST_KEY_BITS = 8, 20, 12
_FARTHEST = 60  # Hamming distance of descriptors that count as the same point
_FARTHEST_WORD = 20  # of their first 64 bits, which are compared first
_CROWDED = 32  # points under one key that tell nothing any more
_AT_A_TIME = 8192  # points whose keys are computed at a time

_CHOSEN = np.random.default_rng(1).permutation(8 * DESCRIPTOR_BYTES)[: _TABLES * _MOST_KEY_BITS]
_CHOSEN = _CHOSEN.reshape(_TABLES, _MOST_KEY_BITS)


def _fitting(points: int) -> int:
    """Choose the bits of a key: as many keys as points, so that few share one."""
    return min(max(max(1, points).bit_length(), _LEAST_KEY_BITS), _MOST_KEY_BITS)


class _Tables(NamedTuple):
    """Eight tables of chains, one after the other; 0 ends a chain, and point p is p + 1."""

    bits: int
    heads: NDArray[np.int32]
    """First point of each chain, shape (8 * 2**bits,)."""
    counts: NDArray[np.int32]
    """Live points of each chain."""
    following: Column[np.int32]
    """Of each point in each table the next one, shape (P, 8)."""


def _no_points(bits: int) -> _Tables:
    keys = _TABLES << bits
    return _Tables(
        bits, np.zeros(keys, np.int32), np.zeros(keys, np.int32), Column(np.int32, (_TABLES,))
    )


def _keys(words: NDArray[np.uint64], bits: int) -> NDArray[np.int64]:
    """Give the place of each descriptor's chain in each table, shape (N, tables)."""
    values = np.zeros((8 * DESCRIPTOR_BYTES, _TABLES), np.float32)
    for table in range(_TABLES):
        values[_CHOSEN[table, :bits], table] = 1 << np.arange(bits)
    first = np.arange(_TABLES) << bits
    # The sums are below 2**24: exact in float32.
    signs = np.unpackbits(words.view(np.uint8), axis=1).astype(np.float32)
    return (signs @ values).astype(np.int64) + first


def _file(tables: _Tables, words: NDArray[np.uint64], first: int) -> None:
    """Put points into the chains."""
    for start in range(0, len(words), _AT_A_TIME):
        keys = _keys(words[start : start + _AT_A_TIME], tables.bits)
        flat = keys.ravel()
        order = np.argsort(flat, kind="stable")
        sorted_keys = flat[order]
        opens = np.append(True, sorted_keys[1:] != sorted_keys[:-1])
        closes = np.append(opens[1:], True)
        points = (order // _TABLES + first + start + 1).astype(np.int32)
        before = np.empty_like(points)
        before[1:] = points[:-1]
        before[opens] = tables.heads[sorted_keys[opens]]
        following = np.empty(len(flat), np.int32)
        following[order] = before
        tables.following.extend(following.reshape(-1, _TABLES))
        tables.heads[sorted_keys[closes]] = points[closes]
        np.add.at(tables.counts, flat, 1)


class LocalIndex:
    """Points of many pictures, filed by their descriptors.

    Takes 77 bytes a point, 25 KB a picture with 320 points, and up to 67 MB for the tables. What
    is found depends on the pictures that are there and on nothing else: where they came from and
    went to is forgotten.
    """

    def __init__(self) -> None:
        self._words = Column(np.uint64, (DESCRIPTOR_BYTES // 8,))
        self._first_word = Column(np.uint64)
        self._place = Column(np.int32)
        self._live = Column(np.bool_)
        self._count = 0  # of live points
        self._tables = _no_points(_LEAST_KEY_BITS)

    def __len__(self) -> int:
        """Count the points, removed ones included."""
        return len(self._place)

    def extend(self, pictures: Sequence[tuple[int, LocalFeatures]]) -> None:
        """File the points of pictures.

        Parameters
        ----------
        pictures : sequence of place and LocalFeatures
            Places in ascending order, none below one that is here; a place may have several.
        """
        filed = [(place, features.descriptors) for place, features in pictures if len(features)]
        if not filed:
            return
        descriptors = np.concatenate([of for _, of in filed])
        places = np.repeat([place for place, _ in filed], [len(of) for _, of in filed])
        self._append(np.ascontiguousarray(descriptors).view(np.uint64), places)

    def _append(self, words: NDArray[np.uint64], places: NDArray[np.int64]) -> None:
        first = len(self)
        self._words.extend(words)
        self._first_word.extend(words[:, 0])
        self._live.extend(np.ones(len(words), np.bool_))
        self._place.extend(places)
        self._count += len(words)
        if _fitting(self._count) == self._tables.bits:
            _file(self._tables, words, first)
        else:
            self._file_anew()

    def _file_anew(self) -> None:
        """File all points under keys whose length fits the live ones."""
        bits = _fitting(self._count)
        tables = _no_points(bits)
        _file(tables, self._words.values, 0)
        gone = np.flatnonzero(~self._live.values)
        np.subtract.at(tables.counts, _keys(self._words.values[gone], bits).ravel(), 1)
        self._tables = tables

    def remove(self, place: int) -> None:
        """Take the points of a picture away; one that has none stays without."""
        first, last = np.searchsorted(self._place.values, [place, place + 1])
        if first < last and self._live.values[first]:
            self._live.values[first:last] = False
            keys = _keys(self._words.values[first:last], self._tables.bits)
            np.subtract.at(self._tables.counts, keys.ravel(), 1)
            self._count -= int(last - first)
            if _fitting(self._count) != self._tables.bits:
                self._file_anew()

    def compacted(self, places: NDArray[np.int64]) -> "LocalIndex":
        """Make an index of what is left.

        Parameters
        ----------
        places : int64 ndarray
            New place of each old one; of those that were removed anything.
        """
        made = LocalIndex()
        kept = np.flatnonzero(self._live.values)
        made._append(self._words.values[kept], places[self._place.values[kept]])
        return made

    def _filed_alike(
        self, words: NDArray[np.uint64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give pairs of a query's point and a filed one that share a key."""
        bits, heads, counts, following = self._tables
        keys = _keys(words, bits)
        count = counts[keys]
        query, table = np.nonzero((count > 0) & (count <= _CROWDED))
        point = heads[keys[query, table]].astype(np.int64)
        queries, points = [query[:0]], [point[:0]]
        while len(point):
            queries.append(query)
            points.append(point - 1)
            point = following.values[point - 1, table].astype(np.int64)
            more = point > 0
            query, table, point = query[more], table[more], point[more]
        return np.concatenate(queries), np.concatenate(points)

    def _near(self, words: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Give pairs of a query's number (high bits) and the place of a point near to it."""
        if compiled := kernel():
            bits, heads, counts, following = self._tables
            filed = self._words.values, self._first_word.values
            chains = _keys(words, bits), heads, counts, following.values
            about = self._place.values, self._live.values
            limits = _CROWDED, _FARTHEST_WORD, _FARTHEST
            pairs = compiled.filed_near(words, *chains, *filed, *about, *limits)
            return np.asarray(pairs, np.int64)
        query, point = self._filed_alike(words)
        near = np.bitwise_count(self._first_word.values[point] ^ words[query, 0]) <= _FARTHEST_WORD
        query, point = query[near], point[near]
        apart = np.bitwise_count(self._words.values[point] ^ words[query]).sum(axis=1)
        near = (apart <= _FARTHEST) & self._live.values[point]
        return np.asarray(query[near] << 32 | self._place.values[point[near]], np.int64)

    def votes(self, features: LocalFeatures) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Count the points that a picture shares with those that are filed.

        Parameters
        ----------
        features : LocalFeatures

        Returns
        -------
        places : int64 ndarray
            Of the pictures that share any, ascending.
        votes : float64 ndarray
            A point that is found in several pictures is shared out among them.
        """
        words = np.ascontiguousarray(features.descriptors).view(np.uint64)
        pairs = np.unique(self._near(words))
        query, place = pairs >> 32, pairs & 0xFFFFFFFF
        shares = 1 / np.bincount(query, minlength=1)[query]
        places, which = np.unique(place, return_inverse=True)
        return places, np.asarray(np.bincount(which, shares, len(places)), np.float64)
