import importlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from srpitp_fingerprint import (
    Slab,
    decision_distance,
    distance,
    nearest,
    pack,
    permute,
    search,
    unpack,
)

searching = importlib.import_module("srpitp_fingerprint.search")

MEASURES = {"plain": distance, "decision": decision_distance}
BACKENDS = ("numba", "numpy")


@pytest.fixture(scope="module")
def tables(fingerprints):
    """The naive distance of every pair, by metric."""
    return {
        metric: np.array([[measure(a, b) for b in fingerprints] for a in fingerprints])
        for metric, measure in MEASURES.items()
    }


@pytest.fixture(scope="module")
def rows(fingerprints):
    return np.frombuffer(b"".join(fingerprints), np.uint8).reshape(-1, 180)


@pytest.fixture
def always_threads(monkeypatch):
    monkeypatch.setattr(searching, "_PAIRS_A_THREAD", 1)


def by_hand(distances, live, k, max_distance):
    """Sort all records by distance, for each query."""
    found = np.full((len(distances), k), np.inf), np.full((len(distances), k), -1)
    for row, of_query in enumerate(distances):
        ascending = np.argsort(of_query, kind="stable")
        kept = ascending[live[ascending] & (of_query[ascending] <= max_distance)][:k]
        found[0][row, : len(kept)], found[1][row, : len(kept)] = of_query[kept], kept
    return found


@st.composite
def searches(draw):
    """A slab in pieces, each record one of 40 fingerprints, so with many ties; and a question."""
    pieces = draw(st.lists(st.integers(0, 400), max_size=4))
    numbers = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 40, sum(pieces))
    removed = (
        st.sets(st.integers(0, len(numbers) - 1), max_size=30) if len(numbers) else st.just(())
    )
    return {
        "pieces": np.split(numbers, np.cumsum(pieces)[:-1]) if pieces else [],
        "removed": sorted(draw(removed)),
        # From 64 on the kernel goes another way.
        "queries": draw(
            st.lists(st.integers(0, 39), max_size=11)
            | st.lists(st.integers(0, 39), min_size=64, max_size=67)
        ),
        "k": draw(st.sampled_from([1, 2, 7, 300, 2000])),
        "max_distance": draw(st.sampled_from([-0.1, 0.0, 0.2, 0.3, 0.43, 0.5, 1.0, np.inf])),
        "metric": draw(st.sampled_from(["plain", "decision"])),
        "threads": draw(st.integers(1, 3)),
        "mapped": draw(st.booleans()),
    }


@pytest.mark.usefixtures("always_threads")
@settings(max_examples=60, deadline=None)
@given(asked=searches())
def test_both_back_ends_find_what_sorting_all_distances_finds(
    tmp_path_factory, rows, tables, asked
):
    slab = Slab()
    for numbers in asked["pieces"]:
        slab.append(rows[numbers])
    slab.remove(asked["removed"])
    if asked["mapped"]:
        path = tmp_path_factory.mktemp("slab") / "slab"
        slab.save(path)
        slab = Slab.open(path)
    numbers = np.concatenate([np.zeros(0, int), *asked["pieces"]])
    distances = tables[asked["metric"]][np.ix_(asked["queries"], numbers)]
    expected = by_hand(distances, slab.live, asked["k"], asked["max_distance"])
    options = {name: asked[name] for name in ("k", "max_distance", "metric", "threads")}
    for backend in BACKENDS:
        found = search(slab, rows[asked["queries"]], backend=backend, **options)
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])
        assert [array.dtype for array in found] == [np.float64, np.int64]


@pytest.mark.usefixtures("always_threads")
@pytest.mark.parametrize("metric", ["plain", "decision"])
@pytest.mark.parametrize("queries", [1, 3, 4, 33, 201])
def test_threads_find_the_same(metric, queries):
    random = np.random.default_rng(queries)
    rows = random.integers(0, 256, (12_000, 180), dtype=np.uint8)
    slab = Slab.of(rows[:5000])
    slab.append(rows[5000:])
    options = {"k": 20, "metric": metric}
    alone = search(slab, rows[:queries], **options)
    for backend in BACKENDS:
        together = search(slab, rows[:queries], threads=3, backend=backend, **options)
        np.testing.assert_array_equal(together[0], alone[0])
        np.testing.assert_array_equal(together[1], alone[1])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("metric", ["plain", "decision"])
def test_every_symbol_counts(fingerprints, metric, backend):
    query = fingerprints[0]
    altered = np.tile(unpack(query), (3 * 720, 1))
    place = np.arange(len(altered))
    altered[place, place // 3] = (altered[place, place // 3] + 1 + place % 3) % 4
    rows = pack(altered)
    options = {"metric": metric, "backend": backend}
    distances, indices = search(Slab.of(rows), [query], k=len(rows), **options)
    expected = [MEASURES[metric](query, row) for row in rows]
    assert distances[0, np.argsort(indices[0])].tolist() == expected


@pytest.mark.parametrize("metric", ["plain", "decision"])
@pytest.mark.parametrize("k", [1, 10])
@pytest.mark.parametrize("max_distance", [0.3, 0.43, 1.0])
def test_what_is_too_far_away_is_left_out_early_and_nothing_else(metric, k, max_distance):
    random = np.random.default_rng(7)
    symbols = random.integers(0, 4, (3000, 720), dtype=np.uint8)
    queries = symbols[random.integers(0, len(symbols), 600)]
    changed = random.random(queries.shape) < random.uniform(0, 0.7, (len(queries), 1))
    queries = np.where(changed, random.integers(0, 4, queries.shape, dtype=np.uint8), queries)
    symbols[random.integers(0, 3000, 200)] = symbols[random.integers(0, 3000, 200)]  # ties
    slab = Slab.of(pack(symbols))
    slab.remove(range(0, 3000, 9))
    options = {"k": k, "max_distance": max_distance, "metric": metric}
    found, expected = (
        search(slab, pack(queries), backend=backend, **options) for backend in BACKENDS
    )
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.usefixtures("always_threads")
@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 9),
    records=st.sampled_from([1, 255, 256, 257, 700, 1100]),
    max_distance=st.floats(0, 1),
    k=st.sampled_from([1, 2, 30]),
    metric=st.sampled_from(["plain", "decision"]),
    threads=st.integers(1, 2),
)
def test_one_query_alone_leaves_blocks_early_and_misses_nothing(
    seed, records, max_distance, k, metric, threads
):
    random = np.random.default_rng(seed)
    query = random.integers(0, 4, 720, dtype=np.uint8)
    # Some differ from the query only at the beginning, others only at the end.
    begin, end = np.sort(random.integers(0, 721, (2, records, 1)), axis=0)
    places = np.arange(720)
    changed = (begin <= places) & (places < end) & (random.random((records, 720)) < 0.9)
    symbols = np.where(changed, (query + random.integers(1, 4, changed.shape)) % 4, query)
    rows, asked = pack(symbols.astype(np.uint8)), pack(query[None])
    slab = Slab.of(rows)
    slab.remove(random.integers(0, records, records // 3))
    distances = np.array([[MEASURES[metric](asked[0].tobytes(), row.tobytes()) for row in rows]])
    expected = by_hand(distances, slab.live, k, max_distance)
    options = {"k": k, "max_distance": max_distance, "metric": metric, "threads": threads}
    for backend in BACKENDS:
        found = search(slab, asked, backend=backend, **options)
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize("backend", BACKENDS)
def test_ties_go_to_the_smaller_index_across_blocks(fingerprints, backend):
    one = np.frombuffer(fingerprints[0], np.uint8)
    protected = np.tile(255 - one, (9000, 1))
    protected[[17, 5000, 8999]] = one
    slab = Slab.of(protected)
    distances, indices = search(slab, [fingerprints[0]], k=4, metric="plain", backend=backend)
    assert indices.tolist() == [[17, 5000, 8999, 0]]
    assert distances[0, :3].tolist() == [0, 0, 0]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("metric", ["plain", "decision"])
def test_threshold_itself_is_within(fingerprints, metric, backend):
    a, b = fingerprints[:2]
    slab, d = Slab.of([b]), MEASURES[metric](a, b)
    options = {"metric": metric, "backend": backend}
    assert search(slab, [a], max_distance=d, **options)[0].tolist() == [[d]]
    assert search(slab, [a], max_distance=np.nextafter(d, 0), **options)[1].tolist() == [[-1]]


def test_a_search_ends_where_the_slab_ended_when_it_began(rows):
    slab = Slab.of(rows[:3])
    parts = slab.parts()
    slab.append(rows[3:])
    assert sum(len(part.live) for part in parts) == 3


def test_one_thread_may_append_while_another_searches(rows):
    slab = Slab.of(rows[:1])

    def grow():
        for _ in range(300):
            slab.append(rows[1:])

    with ThreadPoolExecutor(1) as pool:
        grown = pool.submit(grow)
        while not grown.done():
            ended = len(slab)
            distances, indices = search(slab, rows[:2], k=2, metric="plain")
            assert indices[0, 0] == 0
            assert (distances[0, 0], distances[1, 0]) == (0, 0) or ended == 1
    assert len(slab) == 300 * 39 + 1


def test_turned_pictures_are_just_further_queries(fingerprints):
    slab = Slab.of([permute(one, "rot90cw") for one in fingerprints[:9]])
    distances, indices = search(slab, [fingerprints[4], permute(fingerprints[4], "rot90cw")])
    assert indices[1].tolist() == [4]
    assert distances[1] < distances[0]


def test_nearest_is_a_search_of_what_is_given(fingerprints, rows):
    for found, expected in zip(
        nearest(fingerprints[:5], fingerprints, k=3),
        search(Slab.of(rows), rows[:5], k=3),
        strict=True,
    ):
        np.testing.assert_array_equal(found, expected)
    assert nearest([], fingerprints, k=2)[1].shape == (0, 2)
    assert nearest(fingerprints[:5], [], k=3)[1].shape == (5, 3)


@pytest.mark.parametrize(
    ("queries", "options"),
    [
        ([b"short"], {}),
        (np.zeros((2, 90), np.uint8), {}),
        (np.zeros((2, 180)), {}),
        ([bytes(180)], {"k": 0}),
        ([bytes(180)], {"metric": "cosine"}),
        ([bytes(180)], {"threads": 0}),
        ([bytes(180)], {"backend": "fortran"}),
    ],
)
def test_nonsense_is_refused(queries, options):
    with pytest.raises(ValueError, match=r"fingerprint|k must|metric|threads must|backend must"):
        search(Slab(), queries, **options)


def run(program, **environment):
    """Run Python anew: what is loaded stays loaded."""
    return subprocess.run(  # noqa: S603
        [sys.executable, "-c", program],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_without_numba_numpy_searches():
    program = """if True:
        import sys
        sys.modules["numba"] = None
        from srpitp_fingerprint import Slab, load_backend, search
        print(load_backend(), search(Slab.of([bytes(180)]), [bytes(180)])[1].tolist())
        try:
            load_backend("numba")
        except ModuleNotFoundError as error:
            print(*error.__notes__)
    """
    assert run(program).splitlines() == [
        "numpy [[0]]",
        "install srpitp-fingerprint[kernel], or take the back end 'numpy'",
    ]


def test_processors_without_long_vectors_find_the_same(tmp_path):
    program = """if True:
        import numpy as np
        from srpitp_fingerprint import Slab, search
        rows = np.random.default_rng(1).integers(0, 256, (1500, 180), dtype=np.uint8)
        slab = Slab.of(rows)
        for count in (1, 5, 60):
            found, expected = (
                search(slab, rows[:count], k=9, backend=backend) for backend in ("numba", "numpy")
            )
            print(all(np.array_equal(a, b) for a, b in zip(found, expected)))
    """
    old = {
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": "",
        "NUMBA_CACHE_DIR": str(tmp_path),
        "NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator",
    }
    assert run(program, **old).split() == ["True"] * 3


def test_nowhere_to_keep_machine_code():
    program = "from srpitp_fingerprint import load_backend; print(load_backend())"
    nowhere = {
        "NUMBA_CACHE_DIR": "/dev/null/nowhere",
        "NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator",
    }
    assert run(program, **nowhere) == "numba\n"
