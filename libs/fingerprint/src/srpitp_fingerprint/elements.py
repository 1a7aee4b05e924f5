"""The 720 elements of a picture: paper, Algorithm 1, "normalise", "filter" and "extract".

The paper is Hu, Sheng, Mao, Wang, Zhong: "Spark-based real-time proactive image tracking
protection model", EURASIP Journal on Information Security 2019:3. It leaves open the size's
orientation, the filter's width and the eight pieces of a block; README.md says what was chosen.

Resizing, smoothing and summing pieces are linear, and rows and columns are independent. So all
three together are one matrix on either side of the luma: 36 sums of rows times 36 of columns, which
are the 3 x 3 pieces of 12 x 12 blocks. The matrices hold integers, and no partial sum is too large
for its type: the result is exact, whatever the order of summation, and so the same everywhere.
"""

from collections.abc import Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BLOCKS",
    "COLUMNS",
    "LEAST_SIZE",
    "PIECES",
    "PIECE_PAIRS",
    "ROWS",
    "Halved",
    "Part",
    "Profile",
    "a_d_elements",
    "elements_of_pieces",
    "halved",
    "pieces_of_parts",
]

Profile = Literal["paper", "robust"]
"""How much the picture is smoothed: as the paper has it, or for the best recall."""

ROWS: Final = 108
COLUMNS: Final = 132
BLOCKS = 12
"""Blocks along each axis; one has 9 rows and 11 columns."""
PIECES = 3 * BLOCKS
"""Pieces along each axis."""

PIECE_PAIRS = np.array(
    [
        [[1, 0, 0], [0, 0, 0], [0, 0, -1]],  # D1: top left - bottom right
        [[0, 1, 0], [0, 0, 0], [0, -1, 0]],  # D2: top - bottom
        [[0, 0, 1], [0, 0, 0], [-1, 0, 0]],  # D3: top right - bottom left
        [[0, 0, 0], [1, 0, -1], [0, 0, 0]],  # D4: left - right
    ]
)
"""The four differences over the 3 x 3 pieces of a block; the centre piece is in none."""

LEAST_SIZE: Final = (180, 220)
"""Rows and columns that are left where they are halved."""

# Parts of a product: each leaves out the zeros of its weights, and is too small for threads.
_BANDS = MappingProxyType({ROWS: 6, COLUMNS: 3})
_WEIGHT = 2**16  # what the weights of one third sum to; times 255, float32 is exact
_TO_ELEMENTS = np.stack([np.abs(PIECE_PAIRS).sum(axis=0) / 8, *PIECE_PAIRS]).reshape(5, 9).T
_CACHED_AXES = 1024  # some 25 kB each
_THIRDS = np.arange(PIECES)[:, None]

# Half a Gaussian from its centre, in 16384ths, for columns and for rows of the 108 x 132 picture:
# 3 pixels, standard deviation 0.95; 13 columns, 2.2, and 11 rows, 1.8.
_SMOOTHING: MappingProxyType[Profile, tuple[tuple[int, ...], tuple[int, ...]]] = MappingProxyType(
    {
        "paper": ((7623, 4380), (7623, 4380)),
        "robust": ((2980, 2687, 1971, 1176, 571, 225, 72), (3638, 3118, 1963, 907, 308, 77)),
    }
)


class Part(NamedTuple):
    """A part of a picture, in pixels: from row `top` and column `left` up to those named last."""

    top: int
    left: int
    bottom: int
    right: int


class Halved(NamedTuple):
    """A picture as `halved` leaves it.

    Attributes
    ----------
    bins : uint8 ndarray
        Less than 360 rows and 440 columns. A last row or column that had no other is left out.
    height, width : int
        Pixels of the picture before.
    rows, columns : int
        How often they were halved.
    """

    bins: NDArray[np.uint8]
    height: int
    width: int
    rows: int
    columns: int


class _Band(NamedTuple):
    """Some thirds of an axis: the bins that matter to them, and how much (thirds, bins)."""

    thirds: slice
    bins: slice
    weights: NDArray[Any]


class _Grid(NamedTuple):
    """How rows (or columns) of the 108 x 132 picture make up the thirds: shape (36, length + 1)."""

    weights: NDArray[np.int64]
    before: NDArray[np.int64]
    """Sums of the weights before each row."""
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    """Rows from `first` up to `last` have weights, shape (36, 1)."""


def _grid_of(weights: NDArray[np.int64]) -> _Grid:
    length = weights.shape[1]
    used = weights != 0
    first, last = used.argmax(axis=1), length - used[:, ::-1].argmax(axis=1)
    weights = np.pad(weights, ((0, 0), (0, 1)))
    before = np.cumsum(weights, axis=1) - weights
    return _Grid(weights, before, first[:, None], last[:, None])


def _grid(length: int, kernel: tuple[int, ...]) -> _Grid:
    """Smooth, then share: of a third that ends within a column, the column counts by its part."""
    parts = np.arange(3 * length)
    shares = np.zeros((PIECES, length), np.int64)
    np.add.at(shares, (parts * BLOCKS // length, parts // 3), 1)
    at = np.arange(length)
    smooth = np.zeros((length, length), np.int64)
    for offset in range(1 - len(kernel), len(kernel)):
        np.add.at(smooth, (at, np.clip(at + offset, 0, length - 1)), kernel[abs(offset)])
    return _grid_of(shares @ smooth)


_GRIDS = MappingProxyType(
    {
        (axis, profile): _grid(axis, kernel)
        for profile, kernels in _SMOOTHING.items()
        for axis, kernel in zip((COLUMNS, ROWS), kernels, strict=True)
    }
)


def _linear(size: int, length: int) -> NDArray[np.float64]:
    """Interpolate between the centres of pixels, the outermost ones repeated: (size, length)."""
    at = np.arange(size)
    left, rest = np.divmod((2 * at + 1) * length - size, 2 * size)
    weights = np.zeros((size, length))
    np.add.at(weights, (at, np.clip(left, 0, length - 1)), 2 * size - rest)
    np.add.at(weights, (at, np.clip(left + 1, 0, length - 1)), rest)
    return weights


@lru_cache(_CACHED_AXES)
def _bands(
    axis: Literal[108, 132], profile: Profile, length: int, halvings: int, start: int, stop: int
) -> tuple[_Band, ...]:
    """Weigh the bins of an axis for each of its thirds.

    Parameters
    ----------
    axis : {108, 132}
        Rows, in float32, or columns, in float64: wide enough for all sums.
    profile : {"robust", "paper"}
    length : int
        Pixels of the picture.
    halvings : int
        A bin has ``2 ** halvings`` pixels, and the last stands for what is left over.
    start, stop : int
        The part of the picture that counts.
    """
    grid, pixels = _GRIDS[axis, profile], stop - start
    if pixels < axis:
        grid = _grid_of((grid.weights[:, :-1] @ _linear(axis, pixels)).astype(np.int64))
    cells = grid.weights.shape[1] - 1
    count = length >> halvings
    # Bins that may have weights, as many for each third: their edges, and what lies before these.
    first = np.minimum(start + grid.first * pixels // cells >> halvings, count - 1)
    last = (start - (-grid.last * pixels // cells) >> halvings) + 1
    edges = first + np.arange(int((last - first).max()) + 1)
    places = np.where(edges < count, edges << halvings, length).clip(start, stop) - start
    # By area: a pixel counts by its share.
    cell, rest = np.divmod(places * cells, pixels)
    cell += _THIRDS * (cells + 1)
    before = grid.before.take(cell) * pixels + grid.weights.take(cell) * rest
    total = int(before[0, -1])
    weights = np.diff((2 * _WEIGHT * before + total) // (2 * total), axis=1)
    every = np.zeros((PIECES, int(edges.max())), np.float32 if axis == ROWS else np.float64)
    # The columns come last, and bring the sums back to grey levels: exactly, by a power of two.
    every[_THIRDS, edges[:, :-1]] = weights if axis == ROWS else weights / _WEIGHT**2
    bands = []
    step = PIECES // _BANDS[axis]
    for third in range(0, PIECES, step):
        some = slice(third, third + step)
        bins = slice(int(first[third, 0]), min(int(last[some.stop - 1, 0]), count))
        bands.append(_Band(some, bins, np.ascontiguousarray(every[some, bins])))
    return tuple(bands)


def _weigh(bands: tuple[_Band, ...], bins: NDArray[Any], sums: NDArray[Any]) -> None:
    """Sum bins (bins, ...) to thirds (36, ...)."""
    for band in bands:
        np.matmul(band.weights, bins[band.bins], out=sums[band.thirds])


def halved(
    luma: NDArray[np.uint8], whole: tuple[int, int] | None = None, halvings: int = 0
) -> Halved:
    """Take means of two rows, or of two columns, while many are left.

    Parameters
    ----------
    luma : uint8 ndarray, shape (height, width)
    whole : tuple of int, optional
        Height and width of the picture, if the luma is a reduction of it.
    halvings : int
        How often the picture was halved for that.

    Returns
    -------
    Halved
    """
    height, width = whole or luma.shape
    rows = columns = halvings
    bins = luma[: height >> rows, : width >> columns]
    while True:
        tall, wide = (have >= 2 * least for have, least in zip(bins.shape, LEAST_SIZE, strict=True))
        if not tall and not wide:
            return Halved(bins, height, width, rows, columns)
        rows, columns = rows + tall, columns + wide
        down, across = height >> rows, width >> columns
        even = bins[: down << tall, : across << wide]
        bins = np.asarray(cv2.resize(even, (across, down), interpolation=cv2.INTER_AREA), np.uint8)


def pieces_of_parts(
    picture: Halved, parts: Sequence[Part], profile: Profile = "robust"
) -> NDArray[np.float64]:
    """Compute the means of the pieces of several parts of a picture, for less than one by one.

    Parameters
    ----------
    picture : Halved
    parts : sequence of Part
        Of at least one pixel, within the picture before it was halved.
    profile : {"robust", "paper"}

    Returns
    -------
    float64 ndarray, shape (parts, 36, 36)
        Grey levels; exact, since they are integers over a power of two.
    """
    if profile not in _SMOOTHING:
        raise ValueError(f"profile must be one of {', '.join(_SMOOTHING)}, not {profile!r}")
    bins = picture.bins.astype(np.float32)
    by_rows = np.empty((PIECES, bins.shape[1]), np.float32)
    found = np.empty((len(parts), PIECES, PIECES))  # columns first
    for sums, part in zip(found, parts, strict=True):
        down = _bands(ROWS, profile, picture.height, picture.rows, part.top, part.bottom)
        across = _bands(COLUMNS, profile, picture.width, picture.columns, part.left, part.right)
        _weigh(down, bins, by_rows)
        _weigh(across, by_rows.astype(np.float64).T, sums)
    return found.swapaxes(1, 2)


def elements_of_pieces(
    pieces: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute the elements, as `a_d_elements` gives them, from means of pieces (..., 36, 36)."""
    blocks = pieces.reshape(-1, BLOCKS, 3, BLOCKS, 3).swapaxes(2, 3).reshape(-1, 9)
    elements = (blocks @ _TO_ELEMENTS).reshape(*pieces.shape[:-2], BLOCKS, BLOCKS, 5)
    return elements[..., 0], elements[..., 1:]


def a_d_elements(
    luma: NDArray[np.uint8], profile: Profile = "robust"
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute the elements before they are quantised.

    Parameters
    ----------
    luma : uint8 ndarray, shape (height, width)
        A picture of any size from 1 x 1.
    profile : {"robust", "paper"}

    Returns
    -------
    a_elements : float64 ndarray, shape (12, 12)
        Mean of the eight pieces of each block, in grey levels 0..255.
    d_elements : float64 ndarray, shape (12, 12, 4)
        The four differences between opposite pieces, in grey levels -255..255.
    """
    whole = Part(0, 0, *luma.shape)
    return elements_of_pieces(pieces_of_parts(halved(luma), [whole], profile)[0])
