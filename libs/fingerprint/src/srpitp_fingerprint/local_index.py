"""Candidates by local features: which protected pictures share points with a detected one.

A crop, a collage, a picture within a picture is far from its original as a whole, and yet full of
its points. Each descriptor is filed under parts of its bits (locality-sensitive hashing); those
filed alike are compared in full, and the pictures with the most points found are the candidates.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .features import DESCRIPTOR_BYTES, LocalFeatures

__all__ = ["LocalIndex"]

_FILED = 96  # points of each protected picture
_TABLES, _MOST_KEY_BITS, _LEAST_KEY_BITS = 8, 20, 12
_FARTHEST = 60  # Hamming distance of descriptors that count as the same point
_FARTHEST_WORD = 20  # of their first 64 bits, which are compared first
_CROWDED = 32  # points under one key that tell nothing any more

_PLACES = np.random.default_rng(1).permutation(8 * DESCRIPTOR_BYTES)[: _TABLES * _MOST_KEY_BITS]
_PLACES = _PLACES.reshape(_TABLES, _MOST_KEY_BITS)


def _filed(features: LocalFeatures) -> NDArray[np.int64]:
    """Choose points of all sizes, the strongest of each first."""
    order = np.argsort(features.octaves, kind="stable")
    octaves = features.octaves[order]
    starts = np.searchsorted(octaves, octaves)
    rank = np.arange(len(order)) - starts
    return np.sort(order[np.argsort(rank, kind="stable")[:_FILED]])


def _keys(descriptors: NDArray[np.uint8], bits: int) -> NDArray[np.int64]:
    """Give the key of each descriptor in each table, shape (tables, N)."""
    values = 1 << np.arange(bits)
    chosen = np.unpackbits(descriptors, axis=1)[:, _PLACES[:, :bits]]
    return np.asarray((chosen @ values).T)


def _words(descriptors: NDArray[np.uint8]) -> NDArray[np.uint64]:
    return np.ascontiguousarray(descriptors).view(np.uint64)


class LocalIndex:
    """Points of many protected pictures, filed by their descriptors.

    Parameters
    ----------
    pictures : sequence of LocalFeatures or None
        None where a picture has none: it is never found here.
    """

    def __init__(self, pictures: Sequence[LocalFeatures | None]) -> None:
        chosen = [(n, f, _filed(f)) for n, f in enumerate(pictures) if f is not None and len(f)]
        empty = np.zeros((0, DESCRIPTOR_BYTES), np.uint8)
        descriptors = np.concatenate([empty, *(f.descriptors[points] for _, f, points in chosen)])
        self._count = len(pictures)
        self._words = _words(descriptors)
        self._picture = np.repeat(
            np.array([n for n, _, _ in chosen], np.int32),
            np.array([len(points) for _, _, points in chosen], np.int64),
        )
        self._first_word = np.ascontiguousarray(self._words[:, 0])
        # As many keys as points, so that few share one.
        fitting = max(1, len(descriptors)).bit_length()
        self._key_bits = min(max(fitting, _LEAST_KEY_BITS), _MOST_KEY_BITS)
        keys = _keys(descriptors, self._key_bits)
        self._order = np.argsort(keys, axis=1, kind="stable").astype(np.int32)
        every_key = np.arange((1 << self._key_bits) + 1)
        self._starts = np.stack(
            [
                np.searchsorted(row[order], every_key).astype(np.int32)
                for row, order in zip(keys, self._order, strict=True)
            ]
        )

    def _filed_alike(
        self, descriptors: NDArray[np.uint8]
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Give pairs of a query's point and a filed one that share a key."""
        queries, points = [], []
        for table, keys in enumerate(_keys(descriptors, self._key_bits)):
            first = self._starts[table][keys]
            count = self._starts[table][keys + 1] - first
            count[count > _CROWDED] = 0
            within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
            queries.append(np.repeat(np.arange(len(keys)), count))
            points.append(self._order[table][np.repeat(first, count) + within])
        return np.concatenate(queries), np.concatenate(points)

    def votes(self, features: LocalFeatures) -> NDArray[np.float64]:
        """Count, for every protected picture, the points that a picture shares with it.

        Parameters
        ----------
        features : LocalFeatures

        Returns
        -------
        float64 ndarray, shape (N,)
            A point that is found in several pictures is shared out among them.
        """
        query, point = self._filed_alike(features.descriptors)
        words = _words(features.descriptors)
        near = np.bitwise_count(self._first_word[point] ^ words[query, 0]) <= _FARTHEST_WORD
        query, point = query[near], point[near]
        near = np.bitwise_count(self._words[point] ^ words[query]).sum(axis=1) <= _FARTHEST
        pairs = np.unique(query[near] * np.int64(self._count) + self._picture[point[near]])
        query, picture = np.divmod(pairs, max(self._count, 1))
        shares = 1 / np.bincount(query, minlength=1)[query]
        return np.asarray(np.bincount(picture, shares, self._count), np.float64)
