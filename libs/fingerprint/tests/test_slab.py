import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from srpitp_fingerprint import Slab, search


def some_rows(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 180), dtype=np.uint8)


@settings(max_examples=30, deadline=None)
@given(pieces=st.lists(st.integers(0, 700), max_size=6), seed=st.integers(0, 9))
def test_what_was_appended_in_pieces_is_given_back(pieces, seed):
    rows, slab = some_rows(sum(pieces), seed), Slab()
    for start, count in zip(np.cumsum([0, *pieces]).tolist(), pieces, strict=False):
        assert slab.append(rows[start : start + count]) == range(start, start + count)
    assert len(slab) == len(rows)
    np.testing.assert_array_equal(slab.rows(range(len(rows))), rows)
    backwards = np.arange(len(rows))[::-2]
    np.testing.assert_array_equal(slab.rows(backwards), rows[backwards])


def test_growing_moves_nothing():
    slab = Slab.of(some_rows(300))
    before = slab.parts()[0]
    slab.append(some_rows(9000))
    assert len(slab.parts()) > 1
    assert np.shares_memory(before.planes, slab.parts()[0].planes)
    assert sum(part.planes.nbytes for part in slab.parts()) == -(-9300 // 256) * 256 * 180


def test_removed_records_keep_their_places():
    slab = Slab.of(some_rows(600))
    slab.remove([599, 3, 3])
    slab.remove([3])
    assert (len(slab), slab.removed, np.flatnonzero(~slab.live).tolist()) == (600, 2, [3, 599])
    np.testing.assert_array_equal(slab.rows([3]), some_rows(600)[[3]])
    assert slab.append(some_rows(1)) == range(600, 601)


@pytest.mark.parametrize("count", [0, 1, 256, 5000])
def test_a_file_gives_the_slab_back(tmp_path, count):
    slab = Slab.of(some_rows(count // 2))
    slab.append(some_rows(count - count // 2, seed=1))
    slab.remove(range(0, count, 7))
    slab.save(tmp_path / "slab")
    mapped = Slab.open(tmp_path / "slab")
    assert (len(mapped), mapped.removed) == (len(slab), slab.removed)
    np.testing.assert_array_equal(mapped.live, slab.live)
    np.testing.assert_array_equal(mapped.rows(range(count)), slab.rows(range(count)))


def test_a_mapped_slab_grows_and_the_file_stays(tmp_path):
    path, new = tmp_path / "slab", some_rows(700, seed=1)
    Slab.of(some_rows(300)).save(path)
    kept = path.read_bytes()
    mapped = Slab.open(path)
    assert mapped.append(new) == range(300, 1000)
    mapped.remove([0])
    assert search(mapped, new[[5, 699]])[1].tolist() == [[305], [999]]
    assert path.read_bytes() == kept


def test_the_file_of_a_mapped_slab_can_be_replaced(tmp_path):
    path, new = tmp_path / "slab", some_rows(700, seed=1)
    Slab.of(some_rows(300)).save(path)
    mapped = Slab.open(path)
    mapped.append(new)
    mapped.save(path)
    np.testing.assert_array_equal(mapped.rows([299, 300]), [some_rows(300)[299], new[0]])
    assert len(Slab.open(path)) == 1000
    assert [file.name for file in tmp_path.iterdir()] == ["slab"]


@pytest.mark.parametrize("left", [slice(-1), slice(50_000), slice(0), slice(7, None)])
def test_a_spoiled_file_is_refused(tmp_path, left):
    path = tmp_path / "slab"
    Slab.of(some_rows(300)).save(path)
    path.write_bytes(path.read_bytes()[left])
    with pytest.raises(ValueError, match=r"is no slab, or is cut off"):
        Slab.open(path)


def test_another_array_is_refused(tmp_path):
    with (tmp_path / "other").open("wb") as file:
        np.save(file, np.zeros(3))
        np.save(file, np.zeros(3, bool))
    with pytest.raises(ValueError, match="is no slab: it has float64"):
        Slab.open(tmp_path / "other")


@pytest.mark.parametrize("index", [-1, 3])
def test_there_is_no_such_record(index):
    slab = Slab.of(some_rows(3))
    with pytest.raises(IndexError, match=r"0\.\.2"):
        slab.rows([0, index])
    with pytest.raises(IndexError, match=r"0\.\.2"):
        slab.remove([0, index])
    assert slab.removed == 0
    with pytest.raises(ValueError, match="fingerprints"):
        slab.append(np.zeros((3, 90), np.uint8))
