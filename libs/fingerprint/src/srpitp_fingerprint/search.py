"""The nearest among many fingerprints, by exhaustive comparison: paper, Algorithm 2.

A pair of symbols differs where ``(a_high ^ b_high) | (a_low ^ b_low)``: population counts of whole
words compare 16 symbols at a time. Distances are counted in quarters of a symbol, as integers.
"""

import functools
import importlib.util
import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .slab import BLOCK, WORDS, Part, Slab, words_of
from .symbols import A_SYMBOLS, SYMBOLS, Fingerprints, as_rows, unpack

__all__ = ["Backend", "Metric", "Planes", "load_backend", "nearest", "planes_of", "search"]

Metric = Literal["plain", "decision"]
Backend = Literal["numba", "numpy"]

_QUARTERS = 4 * SYMBOLS
_DISTANCES = np.arange(_QUARTERS + 1) / _QUARTERS
_A_WORDS = A_SYMBOLS // 16
_PAIRS_A_THREAD = 50_000_000  # fewer take less time than a thread takes to start
_QUERIES_A_THREAD = 8  # from so many on, threads share the queries; else the blocks
_TOGETHER = 16  # blocks that numpy compares at a time: the working set stays in the cache

_Scan = Callable[
    [
        NDArray[np.uint16],
        NDArray[np.bool_],
        int,
        NDArray[np.uint32],
        bool,
        NDArray[np.uint16],
        NDArray[np.int64],
    ],
    None,
]
"""Compares queries with the blocks of a part, and keeps the nearest; see `_kernel`."""


def load_backend(backend: Backend | None = None) -> Backend:
    """Load what searches; otherwise the first search does.

    numba compiles for a second or two, and keeps the machine code beside the library, else in the
    user's cache folder, or where ``NUMBA_CACHE_DIR`` says: a folder that nobody else may write to,
    since what lies there is run. A process that may write to none of them compiles whenever it
    starts. So call this before serving, and before forking.

    Parameters
    ----------
    backend : {"numba", "numpy"}, optional
        numba if it is installed, unless told otherwise.

    Returns
    -------
    {"numba", "numpy"}

    Raises
    ------
    ModuleNotFoundError
        numba is asked for, and not installed: install ``srpitp-fingerprint[kernel]``.
    ValueError
        There is no such back end.
    """
    return _loaded(backend)[0]


@functools.cache
def _loaded(backend: Backend | None) -> tuple[Backend, _Scan]:
    if backend not in ("numba", "numpy", None):
        raise ValueError(f"backend must be 'numba' or 'numpy', not {backend!r}")
    if backend is None:
        backend = "numba" if importlib.util.find_spec("numba") else "numpy"
    if backend == "numpy":
        return backend, _scan
    try:
        from . import _kernel
    except ModuleNotFoundError as error:
        error.add_note("install srpitp-fingerprint[kernel], or take the back end 'numpy'")
        raise
    return backend, _kernel.scan


def _laid_out(rows: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Lay out queries: high bits, low bits, weak D symbols; 16 of them twice in each word."""
    words = words_of(rows)
    weak = words[..., 0] ^ words[..., 1]
    weak[:, :_A_WORDS] = 0
    return np.dstack([words[..., 0], words[..., 1], weak]) * np.uint32(0x10001)


def _bits(words: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Count the bits of each record, from words (blocks, 45, 256) to counts (blocks, 256)."""
    # By bytes, whose bits numpy counts with vectors; 15 of them have 120 at most.
    counts = np.bitwise_count(words.view(np.uint8)).reshape(-1, 3, WORDS // 3, BLOCK, 2)
    halves: NDArray[np.uint16] = counts.sum(axis=2, dtype=np.uint8).sum(axis=1, dtype=np.uint16)
    return halves[..., 0] + halves[..., 1]


def _scan(
    planes: NDArray[np.uint16],
    live: NDArray[np.bool_],
    first: int,
    queries: NDArray[np.uint32],
    weighted: bool,
    best: NDArray[np.uint16],
    indices: NDArray[np.int64],
) -> None:
    """Do as `_kernel.scan` does, in numpy."""
    words = queries.astype(np.uint16)
    for start in range(0, len(planes), _TOGETHER):
        blocks = planes[start : start + _TOGETHER]
        here = live[start * BLOCK :][: len(blocks) * BLOCK]
        for (high, low, weak), found, places in zip(
            words.transpose(0, 2, 1)[..., None], best, indices, strict=True
        ):
            differs = blocks[:, :, 0] ^ high
            differs |= blocks[:, :, 1] ^ low
            quarters = 4 * _bits(differs).ravel()[: len(here)]
            # The decision distance is never below the plain one.
            near = np.flatnonzero((quarters < found[-1]) & here)
            quarters = quarters[near]
            if weighted:
                agreeing = weak[:, 0] & ~differs[near // BLOCK, :, near % BLOCK]
                quarters += np.bitwise_count(agreeing).sum(axis=1, dtype=np.uint16)
            merged = np.concatenate([found, quarters])
            order = merged.argsort(kind="stable")[: len(found)]
            places[:] = np.concatenate([places, first + start * BLOCK + near])[order]
            found[:] = merged[order]


class _Search(NamedTuple):
    """What is asked, and what is found so far; see `_kernel.scan`."""

    scan: _Scan
    weighted: bool
    queries: NDArray[np.uint32]
    best: NDArray[np.uint16]
    indices: NDArray[np.int64]

    def over(self, parts: Sequence[Part]) -> None:
        for planes, live, first in parts:
            self.scan(planes, live, first, self.queries, self.weighted, self.best, self.indices)

    def by_queries(self, parts: Sequence[Part], threads: int) -> None:
        """Give each thread some of the queries, in fours."""
        cuts = [len(self.queries) * number // (4 * threads) * 4 for number in range(threads)]
        slices = [slice(*cut) for cut in itertools.pairwise([*cuts, len(self.queries)])]
        some = [
            self._replace(queries=self.queries[s], best=self.best[s], indices=self.indices[s])
            for s in slices
        ]
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda one: one.over(parts), some))

    def by_blocks(self, parts: Sequence[Part], threads: int) -> None:
        """Give each thread some of the blocks, and merge what all found."""
        some = [
            self._replace(best=self.best.copy(), indices=self.indices.copy())
            for _ in range(threads)
        ]
        slices = [[_sliced(part, number, threads) for part in parts] for number in range(threads)]
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(_Search.over, some, slices))
        best = np.concatenate([one.best for one in some], axis=1)
        indices = np.concatenate([one.indices for one in some], axis=1)
        order = np.lexsort((indices, best))[:, : self.best.shape[1]]
        self.best[:] = np.take_along_axis(best, order, axis=1)
        self.indices[:] = np.take_along_axis(indices, order, axis=1)


def _sliced(part: Part, number: int, of: int) -> Part:
    """Take one of several equal slices of a part."""
    begin, end = (len(part.planes) * cut // of for cut in (number, number + 1))
    live = part.live[begin * BLOCK : end * BLOCK]
    return Part(part.planes[begin:end], live, part.first + begin * BLOCK)


def search(
    slab: Slab,
    queries: Fingerprints,
    *,
    k: int = 1,
    max_distance: float = 1.0,
    metric: Metric = "decision",
    threads: int = 1,
    backend: Backend | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Find the nearest live records of a slab for each query.

    Parameters
    ----------
    slab : Slab
    queries : uint8 ndarray, shape (Q, 180), or sequence of bytes
        Several views or orientations of one picture are several queries.
    k : int
        How many to find for each query.
    max_distance : float
        None that is farther away is given.
    metric : {"decision", "plain"}
        `decision_distance` or `distance`.
    threads : int
        How many to use at most; few pairs are compared by one in any case.
    backend : {"numba", "numpy"}, optional
        numba if it is installed, unless told otherwise. Both find the same.

    Returns
    -------
    distances : float64 ndarray, shape (Q, k)
        Ascending; ``inf`` where there is none. They are exact: the very numbers that
        `decision_distance` or `distance` gives.
    indices : int64 ndarray, shape (Q, k)
        Of equal distances the smaller first; -1 where there is none.

    Raises
    ------
    ValueError
        Fingerprints of another size, `k` or `threads` below 1, no such metric or back end.
    ModuleNotFoundError
        numba is asked for, and not installed.
    """
    rows = as_rows(queries)
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    if threads < 1:
        raise ValueError(f"threads must be at least 1, not {threads}")
    if metric not in ("plain", "decision"):
        raise ValueError(f"metric must be 'plain' or 'decision', not {metric!r}")
    _, scan = _loaded(backend)
    parts = slab.parts()
    records = sum(len(part.live) for part in parts)
    # The very comparison that `verdict` makes, so that both always agree.
    limit = np.count_nonzero(max_distance >= _DISTANCES)
    best = np.full((len(rows), min(k, records)), limit, np.uint16)
    indices = np.full(best.shape, -1)
    if best.size:
        asked = _Search(scan, metric == "decision", _laid_out(rows), best, indices)
        threads = min(threads, len(rows) * records // _PAIRS_A_THREAD)
        if threads <= 1:
            asked.over(parts)
        elif len(rows) < _QUERIES_A_THREAD * threads:
            asked.by_blocks(parts, threads)
        else:
            asked.by_queries(parts, threads)
    distances = np.where(indices < 0, np.inf, best / _QUARTERS)
    if k > records:
        lacking = ((0, 0), (0, k - records))
        distances = np.pad(distances, lacking, constant_values=np.inf)
        indices = np.pad(indices, lacking, constant_values=-1)
    return distances, indices


def nearest(
    queries: Fingerprints,
    protected: Fingerprints,
    *,
    k: int = 1,
    max_distance: float = 1.0,
    metric: Metric = "decision",
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Find the nearest protected fingerprints of each query, once.

    Whoever searches the same ones again makes a `Slab` of them, and takes `search`.

    Parameters
    ----------
    queries, protected : uint8 ndarray, shape (Q, 180) and (N, 180), or sequence of bytes
    k : int
        How many to find for each query.
    max_distance : float
        None that is farther away is given.
    metric : {"decision", "plain"}
        `decision_distance` or `distance`.

    Returns
    -------
    distances : float64 ndarray, shape (Q, k)
        Ascending and exact, as `search` gives them; ``inf`` where there is none.
    indices : int64 ndarray, shape (Q, k)
        Places in `protected`; of equal distances the smaller first, -1 where there is none.

    Raises
    ------
    ValueError
        Fingerprints of another size, or `k` below 1.
    """
    return search(Slab.of(protected), queries, k=k, max_distance=max_distance, metric=metric)


_PLANE_WORDS = -(-SYMBOLS // 64)


class Planes(NamedTuple):
    """Bits of N fingerprints: each field uint64, shape (12, N)."""

    high: NDArray[np.uint64]
    low: NDArray[np.uint64]
    weak: NDArray[np.uint64]
    """D symbols 1 and 2."""


def _words(bits: NDArray[np.bool_]) -> NDArray[np.uint64]:
    padded = np.zeros((len(bits), _PLANE_WORDS * 8), np.uint8)
    packed = np.packbits(bits, axis=1)
    padded[:, : packed.shape[1]] = packed
    return np.ascontiguousarray(padded.view(np.uint64).T)


def planes_of(rows: NDArray[np.uint8]) -> Planes:
    """Lay out fingerprints of shape (N, 180) for comparing."""
    symbols = unpack(rows)
    high, low = symbols >= 2, (symbols & 1).astype(np.bool_)
    weak = high ^ low
    weak[:, :A_SYMBOLS] = False
    return Planes(_words(high), _words(low), _words(weak))
