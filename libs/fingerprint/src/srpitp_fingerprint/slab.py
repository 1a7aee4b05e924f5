"""Many fingerprints, laid out so that one is compared with all of them at the memory's speed.

Symbols are split into two planes of bits, 16 symbols a word. A block holds 256 records word by
word, so that one vector instruction compares the same word of many records.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .symbols import FINGERPRINT_BYTES, SYMBOLS, Fingerprints, as_rows

__all__ = ["BLOCK", "WORDS", "Part", "Slab", "words_of"]

BLOCK = 256
"""Records in a block."""
WORDS = SYMBOLS // 16

_FEWEST_BLOCKS, _MOST_BLOCKS = 16, 4096  # that are reserved at a time: 0.7 and 189 MB
_AT_A_TIME = 64  # blocks that are converted at a time: the working set stays in the cache


class Part(NamedTuple):
    """Consecutive blocks of a slab.

    Attributes
    ----------
    planes : uint16 ndarray, shape (blocks, 45, 2, 256)
        By block, word, plane (high bits of the symbols, low bits) and record.
    live : bool ndarray, shape (records,)
        Whether each is there still; as many as the blocks have places, or fewer in the last.
    first : int
        Index of the first record.
    """

    planes: NDArray[np.uint16]
    live: NDArray[np.bool_]
    first: int


def _even_bits(pairs: NDArray[np.uint32]) -> NDArray[np.uint16]:
    """Gather bits 0, 2, 4 ... of each 32-bit word."""
    for step, mask in ((0, 0x55555555), (1, 0x33333333), (2, 0x0F0F0F0F), (4, 0x00FF00FF)):
        pairs = (pairs | (pairs >> np.uint32(step))) & np.uint32(mask)
    return (pairs | (pairs >> np.uint32(8))).astype(np.uint16)


def _spread(bits: NDArray[np.uint16]) -> NDArray[np.uint32]:
    """Move the bits of each word to the places 0, 2, 4 ...: what undoes `_even_bits`."""
    pairs = bits.astype(np.uint32)
    for step, mask in ((8, 0x00FF00FF), (4, 0x0F0F0F0F), (2, 0x33333333), (1, 0x55555555)):
        pairs = (pairs | (pairs << np.uint32(step))) & np.uint32(mask)
    return pairs


def words_of(rows: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Split fingerprints into planes.

    Parameters
    ----------
    rows : uint8 ndarray, shape (N, 180)

    Returns
    -------
    uint16 ndarray, shape (N, 45, 2)
        Of 16 symbols each, the first in the lowest bit: their high bits, their low bits.
    """
    pairs = np.ascontiguousarray(rows).view("<u4")
    return np.stack([_even_bits(pairs >> np.uint32(1)), _even_bits(pairs)], axis=-1)


class Slab:
    """A growing list of fingerprints; its records are known by their indices.

    A record takes exactly 180 bytes, and one for the mark that it is live. Growing never moves
    what is there. One thread may append and remove while others search: a search sees the records
    that there were when it began, and a removal at the latest when the next search begins.
    """

    def __init__(self) -> None:
        self._parts: tuple[Part, ...] = ()
        self._count = 0
        self._removed = 0

    @classmethod
    def of(cls, rows: Fingerprints) -> Slab:
        """Make a slab of fingerprints, shape (N, 180)."""
        slab = cls()
        slab.append(rows)
        return slab

    def __len__(self) -> int:
        """Count the records, removed ones included."""
        return self._count

    @property
    def removed(self) -> int:
        """How many records are removed; their places are kept."""
        return self._removed

    @property
    def live(self) -> NDArray[np.bool_]:
        """Whether each record is there still, shape (len,): a copy."""
        parts = self.parts()
        marks = [part.live for part in parts]
        return np.concatenate(marks) if marks else np.zeros(0, np.bool_)

    def parts(self) -> list[Part]:
        """List the blocks in use, in order of the records, without copying any."""
        count, found = self._count, []
        for planes, live, first in self._parts:
            records = min(len(live), count - first)
            if records > 0:
                found.append(Part(planes[: -(-records // BLOCK)], live[:records], first))
        return found

    def append(self, rows: Fingerprints) -> range:
        """Add fingerprints.

        Parameters
        ----------
        rows : uint8 ndarray, shape (N, 180), or sequence of bytes

        Returns
        -------
        range
            Their indices, which follow on those that there were.

        Raises
        ------
        ValueError
            Fingerprints of another size.
        """
        packed = as_rows(rows)
        start = self._count
        self._reserve(start + len(packed))
        for part, place, taken in self._places(start, len(packed)):
            _write(part.planes, place, packed[taken])
            part.live[place : place + taken.stop - taken.start] = True
        # Last: until now no search has looked there.
        self._count = start + len(packed)
        return range(start, self._count)

    def _reserve(self, records: int) -> None:
        """See to it that there is room, by adding blocks; those that are there stay in place."""
        have = self._parts[-1].first // BLOCK + len(self._parts[-1].planes) if self._parts else 0
        lacking = -(-records // BLOCK) - have
        if lacking > 0:
            blocks = max(lacking, min(max(have, _FEWEST_BLOCKS), _MOST_BLOCKS))
            # Zeroed by the system when they are first touched: what is reserved takes no memory.
            planes = np.zeros((blocks, WORDS, 2, BLOCK), np.uint16)
            live = np.zeros(blocks * BLOCK, np.bool_)
            self._parts = (*self._parts, Part(planes, live, have * BLOCK))

    def _places(self, start: int, count: int) -> Iterator[tuple[Part, int, slice]]:
        """Divide new records among the parts: the part, the place in it, and which of them."""
        for part in self._parts:
            begin = max(start, part.first)
            end = min(start + count, part.first + len(part.live))
            if begin < end:
                yield part, begin - part.first, slice(begin - start, end - start)

    def _in_parts(
        self, indices: ArrayLike
    ) -> Iterator[tuple[Part, NDArray[np.int64], NDArray[np.int64]]]:
        """Sort indices by part: the part, the places in it, and which of the indices they are."""
        wanted = np.asarray(indices, np.int64).ravel()
        if len(wanted) and not (wanted.min() >= 0 and wanted.max() < self._count):
            raise IndexError(f"indices must lie in 0..{self._count - 1}")
        number = np.searchsorted([part.first for part in self._parts], wanted, "right") - 1
        for k in np.unique(number).tolist():
            which = np.flatnonzero(number == k)
            yield self._parts[k], wanted[which] - self._parts[k].first, which

    def remove(self, indices: ArrayLike) -> None:
        """Mark records as removed: no search finds them any more.

        Parameters
        ----------
        indices : array_like of int
            In any order; those that are removed already stay so.

        Raises
        ------
        IndexError
            There is no such record; then none is removed.
        """
        for part, places, _ in self._in_parts(indices):
            places = np.unique(places)
            self._removed += int(np.count_nonzero(part.live[places]))
            part.live[places] = False

    def rows(self, indices: ArrayLike) -> NDArray[np.uint8]:
        """Give fingerprints back.

        Parameters
        ----------
        indices : array_like of int
            In any order, repeated or not; removed ones are given as well.

        Returns
        -------
        uint8 ndarray, shape (len(indices), 180)

        Raises
        ------
        IndexError
            There is no such record.
        """
        packed = np.empty((np.size(indices), WORDS), "<u4")
        for part, places, which in self._in_parts(indices):
            words = part.planes[places // BLOCK, :, :, places % BLOCK]
            packed[which] = (_spread(words[..., 0]) << np.uint32(1)) | _spread(words[..., 1])
        return packed.view(np.uint8).reshape(-1, FINGERPRINT_BYTES)

    def save(self, path: str | Path) -> None:
        """Write a file for `open`; one of that name is replaced, even while it is mapped.

        The file is two arrays in numpy's format, one after the other: the planes of all blocks,
        and whether each record is live. So ``numpy.load`` reads the planes.
        """
        path = Path(path)
        parts = self.parts()
        shape = (sum(len(part.planes) for part in parts), WORDS, 2, BLOCK)
        unfinished = path.with_name(path.name + ".unfinished")
        with unfinished.open("wb") as file:
            header = {"descr": "<u2", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            for part in parts:
                file.write(part.planes.astype("<u2", copy=False).data)
            np.save(file, self.live)
        unfinished.replace(path)

    @classmethod
    def open(cls, path: str | Path) -> Slab:
        """Map a file that `save` wrote: blocks are read when they are first searched.

        What is appended or removed afterwards stays in memory: the file does not change, and
        processes that have it open share its pages.

        Raises
        ------
        ValueError
            The file is none of a slab, or is cut off.
        """
        try:
            planes = np.lib.format.open_memmap(path, mode="c")
            with Path(path).open("rb") as file:
                file.seek(planes.offset + planes.nbytes)
                live = np.lib.format.read_array(file)
        except ValueError as error:
            raise ValueError(f"{path} is no slab, or is cut off: {error}") from error
        blocks = -(-live.size // BLOCK)
        if (planes.dtype, planes.shape) != (np.dtype("<u2"), (blocks, WORDS, 2, BLOCK)) or (
            live.dtype,
            live.ndim,
        ) != (np.dtype(np.bool_), 1):
            raise ValueError(f"{path} is no slab: it has {planes.dtype} of shape {planes.shape}")
        slab = cls()
        slab._count = len(live)
        slab._removed = len(live) - int(np.count_nonzero(live))
        if blocks:
            marks = np.zeros(blocks * BLOCK, np.bool_)
            marks[: len(live)] = live
            slab._parts = (Part(np.asarray(planes), marks, 0),)
        return slab


def _write(planes: NDArray[np.uint16], place: int, rows: NDArray[np.uint8]) -> None:
    """Lay out fingerprints from a place on: up to a whole block, then whole blocks, then the rest.

    Parameters
    ----------
    planes : uint16 ndarray, shape (blocks, 45, 2, 256)
    place : int
        Record at which to begin.
    rows : uint8 ndarray, shape (N, 180)
    """
    done = 0
    while done < len(rows):
        block, slot = divmod(place + done, BLOCK)
        whole = min((len(rows) - done) // BLOCK, _AT_A_TIME) if slot == 0 else 0
        count = whole * BLOCK or min(BLOCK - slot, len(rows) - done)
        words = words_of(rows[done : done + count])
        if whole:
            blocks = words.reshape(whole, BLOCK, WORDS, 2).transpose(0, 2, 3, 1)
            planes[block : block + whole] = blocks
        else:
            planes[block, :, :, slot : slot + count] = words.transpose(1, 2, 0)
        done += count
