"""Speed of the search on one core: pairs a second, beside the paper's loop, numpy and FAISS."""

import argparse
import csv
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import faiss
import numpy as np
from numpy.typing import NDArray

from srpitp_fingerprint import THRESHOLDS, Slab, load_backend, pack, search, unpack

_SYMBOLS, _DIMENSIONS, _BASE = 720, 12, 65_536
_QUERIES = (1, 64, 4000)
_RECORDS = (2_000, 20_000, 200_000, 1_000_000, 10_000_000)
_SHORTEST = 0.02  # seconds: what takes less is asked several times in a turn
_FEW = 64  # so many queries show the speed for many, where all would take too long
_K = 10
_KERNELS = (
    "kernel, plain distance",
    "kernel, decision distance",
    "kernel, decision distance, within the threshold",
)
# Each symbol in 3 bits, of which any two differ in exactly two; 8 symbols to 3 bytes.
_CODE = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]], np.uint8)
_EIGHT = (np.arange(1 << 16)[:, None] >> np.arange(0, 16, 2)) & 3
_CODES = np.packbits(_CODE[_EIGHT].reshape(-1, 24), axis=1)
_CODE_BYTES = 272  # 3 bits a symbol are 270; FAISS is faster with whole words of 64 bits


@dataclass(frozen=True)
class Method:
    """One way to find the nearest records.

    Attributes
    ----------
    name : str
    ask : callable
        Takes how many of the queries are asked.
    records : int
        How many there are to compare with.
    most_pairs : float
        That are compared in a turn, or a little more.
    """

    name: str
    ask: Callable[[int], Any]
    records: int
    most_pairs: float

    def asked(self, queries: int) -> int:
        """How many queries are asked where there are so many."""
        return min(
            queries, max(_FEW if self.most_pairs > 1e8 else 1, int(self.most_pairs / self.records))
        )


@dataclass(frozen=True)
class Speed:
    """A row of the table: processor time of a turn, and what follows from the least."""

    records: int
    queries: int
    method: str
    compared_records: int
    asked_queries: int
    least_seconds: float
    median_seconds: float

    @property
    def rate(self) -> float:
        """Million pairs a second."""
        return self.compared_records * self.asked_queries / self.least_seconds / 1e6


class Photos:
    """Fingerprints as photos have them: 0.68 apart with a variance of 0.003.

    Their symbols depend on a few numbers for each picture, and on chance. More than 65,536 are
    made by turning D symbols of those into their negatives, which symbols for each time.
    """

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._mixing = self._random.normal(size=(_DIMENSIONS, _SYMBOLS)) / np.sqrt(_DIMENSIONS)
        self._base = np.concatenate([self._new(4096) for _ in range(_BASE // 4096)])

    def _new(self, count: int) -> NDArray[np.uint8]:
        common = self._random.normal(size=(count, _DIMENSIONS)) @ self._mixing
        own = self._random.standard_normal((count, _SYMBOLS), np.float32)
        values = 0.75 * common + 0.66 * own
        symbols = (values > -0.31).astype(np.uint8) + (values > 0) + (values > 0.31)
        return pack(symbols)

    def records(self, count: int) -> Iterator[NDArray[np.uint8]]:
        """Give so many, some at a time."""
        for start in range(0, count, _BASE):
            negated = np.where(self._random.random(_SYMBOLS) < 0.5, 3, 0).astype(np.uint8)
            negated[:144] = 0
            yield self._base[: count - start] ^ pack(negated if start else np.zeros_like(negated))

    def queries(self, count: int) -> NDArray[np.uint8]:
        """Give copies of records with up to half of the symbols changed, and as many strangers."""
        symbols, others = unpack(self._base[:count]), unpack(self._new(count))
        share = self._random.uniform(0, 0.5, (count, 1))
        share[::2] = 1
        return pack(np.where(self._random.random(symbols.shape) < share, others, symbols))


def recode(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Write each symbol in 3 bits: 000, 011, 101 or 110.

    The Hamming distance of bits, which FAISS counts, is thus twice that of symbols, without loss.
    """
    codes = np.zeros((len(rows), _CODE_BYTES), np.uint8)
    codes[:, :270] = _CODES[rows.view("<u2")].reshape(len(rows), -1)
    return codes


class Flat:
    """FAISS's exhaustive index, filled in place: growing it would take twice the memory."""

    def __init__(self, count: int) -> None:
        self.index = cast(Any, faiss.IndexBinaryFlat(8 * _CODE_BYTES))  # its types lack "xb"
        self.index.xb.resize(count * _CODE_BYTES)
        memory = faiss.rev_swig_ptr(self.index.xb.data(), count * _CODE_BYTES)
        self._codes = memory.reshape(count, _CODE_BYTES)

    def append(self, rows: NDArray[np.uint8]) -> None:
        """Add fingerprints."""
        for start in range(0, len(rows), 4096):
            codes = recode(rows[start : start + 4096])
            self._codes[self.index.ntotal :][: len(codes)] = codes
            self.index.ntotal += len(codes)


def by_the_paper(queries: list[list[int]], records: list[list[int]]) -> list[int]:
    """Find the nearest as Algorithm 2 is written: symbol by symbol, pair by pair."""
    nearest = []
    for query in queries:
        distances = []
        for record in records:
            differing = 0
            for a, b in zip(query, record, strict=True):
                if a != b:
                    differing += 1
            distances.append(differing)
        nearest.append(min(range(len(distances)), key=distances.__getitem__))
    return nearest


def by_symbols(queries: NDArray[np.uint8], records: NDArray[np.uint8]) -> list[np.intp]:
    """Find the nearest by numpy, a byte for each symbol."""
    return [np.count_nonzero(records != query, axis=1).argmin() for query in queries]


def read(slab: Slab) -> None:
    """Read the memory of a slab, and do as little with it as numpy can."""
    for part in slab.parts():
        np.bitwise_or.reduce(part.planes.reshape(-1).view(np.uint64))


def methods(slab: Slab, flat: Flat, queries: NDArray[np.uint8]) -> list[Method]:
    """Make all ways ready; the slow ones compare with fewer records, which is no slower a pair."""
    count = len(slab)
    codes, symbols = recode(queries), unpack(queries)
    records = unpack(slab.rows(range(min(count, 20_000))))
    few, asked = records[:1000].tolist(), symbols[:8].tolist()

    def by_slab(number: int, **options: Any) -> Any:
        return search(slab, queries[:number], k=_K, **options)

    tight = {"metric": "decision", "max_distance": THRESHOLDS["robust"]}
    asks: list[dict[str, Any]] = [{"metric": "plain"}, {"metric": "decision"}, tight]
    return [
        *(
            Method(name, partial(by_slab, **options), count, 4e8)
            for name, options in zip(_KERNELS, asks, strict=True)
        ),
        Method("FAISS", lambda n: flat.index.search(codes[:n], _K), count, 2e8),
        Method("numpy, same slab", partial(by_slab, metric="plain", backend="numpy"), count, 1e7),
        Method(
            "numpy, a byte a symbol", lambda n: by_symbols(symbols[:n], records), len(records), 4e5
        ),
        Method("the paper's loop", lambda n: by_the_paper(asked[:n], few), len(few), 4e3),
        Method("reading alone", lambda _: read(slab), count, 1),
    ]


def agree(slab: Slab, flat: Flat, queries: NDArray[np.uint8]) -> None:
    """See to it that FAISS finds the same: distances, that is; it breaks ties as it likes."""
    distances, _ = search(slab, queries, k=_K, metric="plain")
    doubled, _ = flat.index.search(recode(queries), _K)
    np.testing.assert_array_equal(distances, doubled / 2 / _SYMBOLS)


def timed(method: Method, queries: int, times: int) -> float:
    """Take the processor time of one asking, of all threads."""
    start = time.process_time()
    for _ in range(times):
        method.ask(method.asked(queries))
    return (time.process_time() - start) / times


def measure(some: list[Method], records: int, queries: int, turns: int) -> list[Speed]:
    """Let all take turns."""
    times = {one.name: int(_SHORTEST / timed(one, queries, 1)) + 1 for one in some}
    spent = [[timed(one, queries, times[one.name]) for one in some] for _ in range(turns)]
    least, median = np.min(spent, axis=0), np.median(spent, axis=0)
    return [
        Speed(records, queries, one.name, one.records, one.asked(queries), *seconds)
        for one, *seconds in zip(some, least.tolist(), median.tolist(), strict=True)
    ]


def table(speeds: list[Speed]) -> None:
    """Print one set of turns."""
    print(f"\n{speeds[0].queries} queries, {speeds[0].records:,} records")
    for one in speeds:
        print(
            f"  {one.method:50} {one.rate:10.3f} million pairs/s {1e3 * one.least_seconds:9.2f} ms"
        )


def reach(speeds: list[Speed]) -> None:
    """Print what is asked of the kernel."""
    found = {(one.method, one.queries, one.records): one for one in speeds}
    largest = max(one.records for one in speeds)
    print(
        "\nkernel, plain distance: million pairs/s, beside FAISS; times as fast with the decision "
        "distance, and within the threshold"
    )
    for records in sorted({one.records for one in speeds}):
        for queries in _QUERIES:
            plain, decision, tight, other = (
                found[name, queries, records].rate for name in (*_KERNELS, "FAISS")
            )
            print(
                f"  {queries:5} x {records:11,}: {plain:6.0f}, {plain / other:5.2f} x FAISS; "
                f"{decision / plain:4.2f}, {tight / plain:4.2f}"
            )
    for name in (*_KERNELS, "reading alone"):
        seconds = found[name, 1, largest].least_seconds
        print(f"  one query, {largest:,} records: {1e3 * seconds:7.1f} ms, {name}")


def plot(speeds: list[Speed], path: Path) -> None:
    """Draw the rates over the number of records, a panel for each number of queries."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(
        1, len(_QUERIES), figsize=(5 * len(_QUERIES), 5), sharey=True, layout="constrained"
    )
    for axes, queries in zip(panels, _QUERIES, strict=True):
        here = [one for one in speeds if one.queries == queries]
        for name in dict.fromkeys(one.method for one in here):
            line = [(one.records, one.rate) for one in here if one.method == name]
            axes.loglog(*zip(*line, strict=True), "o-", label=name)
        axes.set(title=f"{queries} queries", xlabel="records")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("million pairs a second, one core")
    panels[0].legend(fontsize="small")
    figure.savefig(path, dpi=120)


def main() -> None:
    """Measure, and write the table and the plot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, nargs="+", default=_RECORDS, help="how many")
    parser.add_argument("--turns", type=int, default=5, help="of which the fastest counts")
    parser.add_argument("--out", type=Path, default=Path("out/matching"), help="folder")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    faiss.omp_set_num_threads(1)
    load_backend("numba")
    photos, speeds = Photos(seed=1), []
    queries = photos.queries(max(_QUERIES))
    for count in arguments.records:
        slab, flat = Slab(), Flat(count)
        for rows in photos.records(count):
            slab.append(rows)
            flat.append(rows)
        agree(slab, flat, queries[:8])
        some = methods(slab, flat, queries)
        for number in _QUERIES:
            speeds += measure(some if number == 1 else some[:-1], count, number, arguments.turns)
            table(speeds[-len(some) :] if number == 1 else speeds[1 - len(some) :])
    reach(speeds)
    with (arguments.out / "matching.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*asdict(speeds[0]), "million_pairs_a_second"])
        writer.writerows([*asdict(one).values(), f"{one.rate:.4f}"] for one in speeds)
    plot(speeds, arguments.out / "matching.png")


if __name__ == "__main__":
    main()
