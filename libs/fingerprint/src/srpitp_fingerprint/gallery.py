"""The protected pictures, laid out so that one image is compared with all of them at once."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .description import Description
from .local_index import LocalIndex
from .orientation import Orientation
from .search import Planes, planes_of
from .sketch import SKETCH_BYTES
from .symbols import A_SYMBOLS, FINGERPRINT_BYTES, SYMBOLS, as_rows

__all__ = ["Comparison", "Gallery", "Probe"]

_AT_A_TIME = 8192  # compared at a time: the working set stays in the cache
_USUALLY_PLAIN = 0.2
_D_SYMBOLS = SYMBOLS - A_SYMBOLS
_LOOKED_AT = (4, 6, 8, 10)
"""Words of the planes that a scan counts: four bands of blocks across the picture."""


class Probe(NamedTuple):
    """One rendition of the picture that is looked for."""

    view: str
    orientation: Orientation
    negative: bool
    fingerprint: bytes
    sketch: bytes


class Comparison(NamedTuple):
    """Distances between views of protected pictures and probes; a row for each pair."""

    which: NDArray[np.int64]
    """Place in the list of pictures that were compared."""
    view: NDArray[np.int64]
    """Place among the views of the picture."""
    distance: NDArray[np.float64]
    decision: NDArray[np.float64]
    sketch: NDArray[np.float64]
    plainness: NDArray[np.float64]
    """How much of the plainer of both is without detail, beyond a fifth."""


def _plain(planes: Planes) -> NDArray[np.float64]:
    """Measure the share of weak D symbols above a fifth, as most photos have it."""
    weak = np.bitwise_count(planes.weak).sum(axis=0, dtype=np.int64)
    return np.asarray(np.maximum(0, weak / _D_SYMBOLS - _USUALLY_PLAIN))


class Gallery:
    """Protected pictures, laid out for comparing.

    Parameters
    ----------
    pictures : sequence of Description
        In the robust profile; they are known by their places from here on.

    Attributes
    ----------
    pictures : tuple of Description
    rows : uint8 ndarray, shape (V, 180)
        Fingerprints of all views, picture by picture.
    sketches : uint8 ndarray, shape (V, 32)
    first : int64 ndarray, shape (N + 1,)
        Picture `n` has the views from ``first[n]`` to ``first[n + 1]``.
    """

    def __init__(self, pictures: Sequence[Description]) -> None:
        self.pictures = tuple(pictures)
        views = [view for one in self.pictures for view in one.extraction.views]
        counts = [len(one.extraction.views) for one in self.pictures]
        packed = b"".join(view.fingerprint for view in views)
        self.rows = np.frombuffer(packed, np.uint8).reshape(-1, FINGERPRINT_BYTES)
        self.sketches = np.frombuffer(b"".join(view.sketch for view in views), np.uint8)
        self.sketches = self.sketches.reshape(-1, SKETCH_BYTES)
        self.first = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        self.index = LocalIndex([one.features for one in self.pictures])
        self._planes = planes_of(self.rows)
        self._plain = _plain(self._planes)
        self._by_digest: dict[str, list[int]] = {}
        self._by_fingerprint: dict[bytes, list[int]] = {}
        for place, one in enumerate(self.pictures):
            self._by_digest.setdefault(one.extraction.digest, []).append(place)
            whole = one.extraction.views[0].fingerprint
            self._by_fingerprint.setdefault(whole, []).append(place)

    def __len__(self) -> int:
        return len(self.pictures)

    def exact(self, picture: Description) -> list[int]:
        """Find the places with the same bytes, or the same fingerprint of a textured picture."""
        extraction = picture.extraction
        found = set(self._by_digest.get(extraction.digest, ()))
        if not extraction.textureless:
            found.update(self._by_fingerprint.get(extraction.views[0].fingerprint, ()))
        return sorted(found)

    def scan(self, probes: Sequence[Probe]) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
        """Count differing symbols between every probe and every view, in a part of the symbols.

        Returns
        -------
        differing : uint16 ndarray, shape (N,)
            Of each protected picture, of 256 symbols: its nearest view to any probe.
        probe : int64 ndarray, shape (N,)
            Which probe that was.
        """
        best = np.full(len(self), np.iinfo(np.uint16).max, np.uint16)
        which = np.zeros(len(self), np.int64)
        queries = planes_of(as_rows([p.fingerprint for p in probes]))
        differing = np.empty(len(self.rows), np.uint16)
        for number in range(len(probes) if len(self) else 0):
            self._differing(queries.high[:, number], queries.low[:, number], differing)
            nearest = np.minimum.reduceat(differing, self.first[:-1])
            nearer = nearest < best
            best[nearer] = nearest[nearer]
            which[nearer] = number
        return best, which

    def compare(
        self, places: NDArray[np.int64], probes: Sequence[Probe], which: NDArray[np.int64]
    ) -> Comparison:
        """Compare some protected pictures, each with one probe, by all distances.

        Parameters
        ----------
        places : int64 ndarray, shape (M,)
        probes : sequence of Probe
        which : int64 ndarray, shape (M,)
            The probe for each.

        Returns
        -------
        Comparison
            Of all views of the protected pictures.
        """
        counts = self.first[places + 1] - self.first[places]
        starts = np.cumsum(counts) - counts
        rows = np.arange(counts.sum()) + np.repeat(self.first[places] - starts, counts)
        probe = np.repeat(which, counts)
        queries = planes_of(as_rows([p.fingerprint for p in probes]))
        sketches = np.frombuffer(b"".join(p.sketch for p in probes), np.uint8)
        sketches = sketches.reshape(-1, SKETCH_BYTES)
        differs = self._planes.high[:, rows] ^ queries.high[:, probe]
        differs |= self._planes.low[:, rows] ^ queries.low[:, probe]
        weak = self._planes.weak[:, rows] & ~differs
        differing = np.bitwise_count(differs).sum(axis=0, dtype=np.int64)
        agreeing = np.bitwise_count(weak).sum(axis=0, dtype=np.int64)
        bits = np.bitwise_count(self.sketches[rows] ^ sketches[probe]).sum(axis=1, dtype=np.int64)
        return Comparison(
            np.repeat(np.arange(len(places)), counts),
            rows - np.repeat(self.first[places], counts),
            differing / SYMBOLS,
            (4 * differing + agreeing) / (4 * SYMBOLS),
            bits / (8 * SKETCH_BYTES),
            np.maximum(_plain(queries)[probe], self._plain[rows]),
        )

    def _differing(
        self, high: NDArray[np.uint64], low: NDArray[np.uint64], out: NDArray[np.uint16]
    ) -> None:
        a = np.empty(_AT_A_TIME, np.uint64)
        b, bits = np.empty_like(a), np.empty(len(a), np.uint8)
        for start in range(0, len(out), _AT_A_TIME):
            part = out[start : start + _AT_A_TIME]
            x, y, n = a[: len(part)], b[: len(part)], bits[: len(part)]
            part[:] = 0
            for word in _LOOKED_AT:
                np.bitwise_xor(self._planes.high[word, start : start + len(part)], high[word], x)
                np.bitwise_xor(self._planes.low[word, start : start + len(part)], low[word], y)
                np.bitwise_or(x, y, x)
                np.bitwise_count(x, n)
                np.add(part, n, part)
