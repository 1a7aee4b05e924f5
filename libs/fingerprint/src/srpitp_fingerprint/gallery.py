"""Many pictures, laid out so that one image is compared with all of them at once."""

import hashlib
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .column import Column, Keys
from .description import Description, Extraction
from .features import LocalFeatures
from .local_index import LocalIndex
from .search import search
from .sketch import SKETCH_BYTES
from .slab import Slab
from .stack import Stack
from .symbols import A_SYMBOLS, SYMBOLS

__all__ = ["Comparison", "Gallery"]

_AT_A_TIME = 4096  # pictures that are added or copied at a time
_USUALLY_PLAIN = 0.2
_D_SYMBOLS = SYMBOLS - A_SYMBOLS
_LOW_BITS = np.uint32(0x55555555)  # of the 16 symbols in a word
_A_WORDS = A_SYMBOLS // 16


class Comparison(NamedTuple):
    """Distances between views of pictures and probes; a row for each pair."""

    which: NDArray[np.int64]
    """Place in the list of pictures that were compared."""
    view: NDArray[np.int64]
    """Of all views of the gallery."""
    distance: NDArray[np.float64]
    decision: NDArray[np.float64]
    sketch: NDArray[np.float64]
    plainness: NDArray[np.float64]
    """How much of the plainer of both is without detail, beyond a fifth."""
    turned: NDArray[np.float64]
    """Share of the D symbols of which one rises and the other falls, however little."""
    opposed: NDArray[np.float64]
    """Share of those of which both do so by more than a little."""


def _weak(words: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Mark the weak D symbols, 1 and 2, in rows of 45 words: one bit a symbol."""
    weak = (words ^ (words >> np.uint32(1))) & _LOW_BITS
    weak[:, :_A_WORDS] = 0
    return weak


def _counted(bits: NDArray[np.uint32]) -> NDArray[np.int64]:
    return np.asarray(np.bitwise_count(bits).sum(axis=1, dtype=np.int64))


def _plain(weak: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Measure the share of weak D symbols above a fifth, as most photos have it."""
    return np.maximum(0, _counted(weak) / _D_SYMBOLS - _USUALLY_PLAIN)


def _key(fingerprint: bytes) -> bytes:
    return hashlib.blake2b(fingerprint, digest_size=8).digest()


class Gallery:
    """Pictures, laid out for comparing; each is known by its place, from 0 on.

    It grows, and forgets what is removed. It keeps fingerprints and sketches, at 213 bytes a view
    and some 60 a picture, and the points that `LocalIndex` files; no features: those of candidates
    are asked for when they are needed, see `match`.

    Several threads may look at once; while one adds, removes or compacts, none may.

    Parameters
    ----------
    pictures : iterable of Description
        In the robust profile.
    points : bool
        Whether candidates are found by their local features too.
    """

    def __init__(self, pictures: Iterable[Description] = (), *, points: bool = True) -> None:
        self._index = LocalIndex() if points else None
        self._live_count = 0
        self._slab = Slab()
        self._sketches = Column(np.uint8, (SKETCH_BYTES,))
        self._names: dict[str, int] = {}
        self._name = Column(np.uint8)
        self._first = Column(np.int64)  # view of each picture, and at the end their number
        self._first.extend([0])
        self._live = Column(np.bool_)
        self._textureless = Column(np.bool_)
        self._digests, self._digest_rest = Keys(), Column(np.uint64)
        self._fingerprints = Keys()
        self.extend(pictures)

    def __len__(self) -> int:
        """Count the pictures, those that were removed excluded."""
        return self._live_count

    @property
    def places(self) -> int:
        """How many places there are, those of removed pictures included."""
        return len(self._live)

    @property
    def views(self) -> int:
        """How many views are compared: those of removed pictures excluded."""
        return len(self._slab) - self._slab.removed

    @property
    def has_points(self) -> bool:
        """Whether candidates are found by their local features too."""
        return self._index is not None

    def forget_points(self) -> None:
        """Give back the memory of the local features; from now on none are filed."""
        self._index = None

    def add(self, extraction: Extraction, features: LocalFeatures | None = None) -> int:
        """Add a picture.

        Parameters
        ----------
        extraction : Extraction
        features : LocalFeatures or None
            By whose points it is found; None if they were withheld.

        Returns
        -------
        int
            Its place, which stays until `compact`.
        """
        return self.extend([Description(extraction, features)])[0]

    def extend(self, pictures: Iterable[Description]) -> range:
        """Add pictures.

        Of a detected picture the mirrored side and the panels are found at its place too, so that
        a protected one can be looked for among detected ones.

        Parameters
        ----------
        pictures : iterable of Description

        Returns
        -------
        range
            Their places, which stay until `compact`.

        Raises
        ------
        ValueError
            A picture of the paper's profile.
        """
        first = self.places
        rest = iter(pictures)
        while some := list(islice(rest, _AT_A_TIME)):
            self._append(some)
        return range(first, self.places)

    def _append(self, pictures: Sequence[Description]) -> None:
        added = self.extend_stack(Stack.of(pictures))
        if self._index is not None:
            self._index.extend(
                [
                    (place, side)
                    for place, one in zip(added, pictures, strict=True)
                    for of in (one, *one.panels)
                    for side in (of.features, of.mirrored)
                    if side is not None
                ]
            )

    def extend_stack(self, stack: Stack) -> range:
        """Add pictures that lie in arrays, in a tenth of the time that it takes to `extend`.

        Parameters
        ----------
        stack : Stack

        Returns
        -------
        range
            Their places, which stay until `compact`.
        """
        first, ends = self.places, np.cumsum(stack.counts)
        self._slab.append(stack.fingerprints)
        self._sketches.extend(stack.sketches)
        self._name.extend([self._names.setdefault(of, len(self._names)) for of in stack.names])
        self._first.extend(self._first.values[-1] + ends)
        halves = np.ascontiguousarray(stack.digests).view("<u8")
        self._digests.extend(halves[:, 0])
        self._digest_rest.extend(halves[:, 1])
        wholes = stack.fingerprints[ends - stack.counts]
        keys = b"".join(_key(whole.tobytes()) for whole in wholes)
        self._fingerprints.extend(np.frombuffer(keys, "<u8"))
        self._textureless.extend(stack.textureless)
        self._live.extend(np.ones(len(ends), np.bool_))
        self._live_count += len(ends)
        return range(first, self.places)

    def remove(self, places: ArrayLike) -> None:
        """Remove pictures: they are not found any more.

        Parameters
        ----------
        places : int, or array_like of int
            Those that are removed already stay so.

        Raises
        ------
        IndexError
            There is no such place; then none is removed.
        """
        gone = np.unique(np.asarray(places, np.int64))
        if len(gone) and not (gone[0] >= 0 and gone[-1] < self.places):
            raise IndexError(f"places must lie in 0..{self.places - 1}")
        gone = gone[self._live.values[gone]]
        self._slab.remove(self._views_of(gone)[0])
        self._live.values[gone] = False
        self._live_count -= len(gone)
        if self._index is not None:
            for place in gone.tolist():
                self._index.remove(place)

    def compact(self) -> NDArray[np.int64]:
        """Give back the memory of removed pictures; the places of the others change.

        Returns
        -------
        int64 ndarray, shape (len,)
            The old place of each: place n was ``kept[n]``.
        """
        kept = np.flatnonzero(self._live.values)
        views, which = self._views_of(kept)
        if self._index is not None:
            self._index = self._index.compacted(np.cumsum(self._live.values) - 1)
        slab = Slab()
        for start in range(0, len(views), _AT_A_TIME):
            slab.append(self._slab.rows(views[start : start + _AT_A_TIME]))
        self._slab = slab
        first = Column(np.int64)
        first.extend(np.append(0, np.cumsum(np.bincount(which, minlength=len(kept)))))
        self._first = first
        for column in (self._sketches, self._name):
            column.keep(views)
        for of in (self._live, self._textureless, self._digest_rest):
            of.keep(kept)
        for keys in (self._digests, self._fingerprints):
            keys.keep(kept)
        return kept

    def _views_of(self, places: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """List the views of pictures, and whose of these each is."""
        first = self._first.values
        counts = first[places + 1] - first[places]
        starts = np.cumsum(counts) - counts
        views = np.arange(counts.sum()) + np.repeat(first[places] - starts, counts)
        return views, np.repeat(np.arange(len(places)), counts)

    def name(self, view: int) -> str:
        """Name one of all views."""
        return list(self._names)[int(self._name.values[view])]

    def textureless(self, place: int) -> bool:
        """Tell whether a picture is too plain for anything but an exact match."""
        return bool(self._textureless.values[place])

    def exact(self, picture: Description) -> list[int]:
        """Find the places with the same bytes, or the same fingerprint of a textured picture."""
        extraction = picture.extraction
        key, rest = np.frombuffer(bytes.fromhex(extraction.digest), "<u8")[:2]
        places = self._digests.find(key)
        found = places[self._digest_rest.values[places] == rest]
        if not extraction.textureless:
            whole = extraction.views[0].fingerprint
            [key] = np.frombuffer(_key(whole), "<u8")
            places = self._fingerprints.find(key)
            rows = self._slab.rows(self._first.values[places])
            same = (rows == np.frombuffer(whole, np.uint8)).all(axis=1)
            found = np.union1d(found, places[same])
        return [int(place) for place in np.unique(found[self._live.values[found]])]

    def scan(
        self, probes: NDArray[np.uint8], most: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Find the pictures that are nearest by any of their views to any probe.

        Parameters
        ----------
        probes : uint8 ndarray, shape (P, 180)
        most : int
            So many views of each probe are looked at, and so many pictures given.

        Returns
        -------
        places : int64 ndarray
            The nearest first; of equal distances the first place.
        probe : int64 ndarray
            Which probe that was.
        """
        return self.scan_each([probes], most)[0]

    def scan_each(
        self, probes: Sequence[NDArray[np.uint8]], most: int
    ) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Find for each of many images what `scan` finds, in less time.

        What is kept of the pictures is gone through once for all of them.

        Parameters
        ----------
        probes : sequence of uint8 ndarray, shape (P, 180)
            Of each image.
        most : int
        """
        if not probes:
            return []
        distances, views = search(self._slab, np.concatenate(probes), k=most)
        ends = np.cumsum([len(of) for of in probes])[:-1]
        each = zip(np.split(distances, ends), np.split(views, ends), strict=True)
        return [self._nearest_pictures(*found, most) for found in each]

    def _nearest_pictures(
        self, distances: NDArray[np.float64], views: NDArray[np.int64], most: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Choose pictures from the nearest views of each probe."""
        probe, rank = np.nonzero(views >= 0)
        views, distances = views[probe, rank], distances[probe, rank]
        places = np.searchsorted(self._first.values, views, "right") - 1
        order = np.lexsort((probe, places, distances))
        _, at = np.unique(places[order], return_index=True)
        chosen = order[np.sort(at)[:most]]
        return places[chosen], probe[chosen]

    def sharing(self, features: LocalFeatures) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Find the places that share points with a picture, and how many; see `LocalIndex`."""
        if self._index is None:
            return np.zeros(0, np.int64), np.zeros(0)
        return self._index.votes(features)

    def compare(
        self,
        places: NDArray[np.int64],
        probes: NDArray[np.uint8],
        sketches: NDArray[np.uint8],
    ) -> Comparison:
        """Compare some pictures, each with a probe of its own, by all distances.

        Parameters
        ----------
        places : int64 ndarray, shape (M,)
        probes : uint8 ndarray, shape (M, 180)
        sketches : uint8 ndarray, shape (M, 32)

        Returns
        -------
        Comparison
            Of all views of the pictures.
        """
        views, which = self._views_of(places)
        mine = np.ascontiguousarray(probes).view("<u4")
        theirs = self._slab.rows(views).view("<u4")
        differs = theirs ^ mine[which]
        high = differs >> np.uint32(1)
        turned, differs = high & _LOW_BITS, (differs | high) & _LOW_BITS
        differing, weak, my_weak = _counted(differs), _weak(theirs), _weak(mine)
        agreeing = _counted(weak & ~differs)
        turned[:, :_A_WORDS] = 0
        opposed = turned & ~(weak | my_weak[which])
        bits = np.bitwise_count(self._sketches.values[views] ^ sketches[which])
        return Comparison(
            which,
            views,
            differing / SYMBOLS,
            (4 * differing + agreeing) / (4 * SYMBOLS),
            bits.sum(axis=1, dtype=np.int64) / (8 * SKETCH_BYTES),
            np.maximum(_plain(my_weak)[which], _plain(weak)),
            _counted(turned) / _D_SYMBOLS,
            _counted(opposed) / _D_SYMBOLS,
        )
