import numpy as np
import pytest

from srpitp_fingerprint import points
from srpitp_fingerprint.local_index import LocalIndex


def descriptors(random, count, of=None):
    """Random ones, or such that each differs from one of others in some bits."""
    if of is None:
        return random.integers(0, 256, (count, 32), np.uint8)
    noise = np.packbits(random.random((count, 256)) < random.uniform(0, 0.3, (count, 1)), axis=1)
    return of[random.integers(0, len(of), count)] ^ noise


@pytest.fixture(params=["numba", "numpy"])
def backend(request, monkeypatch):
    """Let one of both compare."""
    kernel = points.kernel()
    assert kernel is not None
    chosen = kernel if request.param == "numba" else None
    for module in ("points", "local_index"):
        monkeypatch.setattr(f"srpitp_fingerprint.{module}.kernel", lambda: chosen)


def literally(a, b):
    apart = np.bitwise_count(a[:, None] ^ b).sum(axis=2, dtype=np.int64)
    best = apart.argmin(axis=1)
    ordered = np.sort(apart, axis=1)
    return best, ordered[:, 0], ordered[:, 1], apart.argmin(axis=0)[best] == np.arange(len(a))


@pytest.mark.parametrize(("count", "others"), [(2, 2), (5, 320), (320, 3), (320, 317)])
@pytest.mark.usefixtures("backend")
def test_neighbours_are_the_nearest(count, others):
    random = np.random.default_rng(count)
    b = descriptors(random, others)
    equal = b[random.integers(0, others, count)]
    for a in (descriptors(random, count), descriptors(random, count, of=b), equal):
        for found, expected in zip(points.neighbours(a, b), literally(a, b), strict=True):
            np.testing.assert_array_equal(found, expected)


class Filed:
    """As much of local features as an index looks at."""

    def __init__(self, descriptors):
        self.descriptors = descriptors
        self.octaves = np.zeros(len(descriptors), np.uint8)

    def __len__(self):
        return len(self.descriptors)


@pytest.mark.parametrize("removed", [[], [0, 3, 44]])
def test_votes_are_the_same_compiled_and_in_numpy(removed, monkeypatch):
    random = np.random.default_rng(6)
    filed = [descriptors(random, 90) for _ in range(40)]
    index = LocalIndex()
    index.extend([(place, Filed(one)) for place, one in enumerate([*filed, *filed[:5]])])
    for place in removed:
        index.remove(place)
    asked = Filed(descriptors(random, 300, of=np.concatenate(filed[:8])))
    compiled = [of.tolist() for of in index.votes(asked)]
    monkeypatch.setattr("srpitp_fingerprint.local_index.kernel", lambda: None)
    assert [of.tolist() for of in index.votes(asked)] == compiled
    assert len(compiled[0]) > 6
    assert not set(removed) & set(compiled[0])
