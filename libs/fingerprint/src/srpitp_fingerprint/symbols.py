"""Quaternary symbols and their 180 bytes: paper, Algorithm 1, "quantise".

A fingerprint is 144 A symbols, block by block in rows, then 576 D symbols, four a block. Four
symbols share a byte, the first in the lowest bits.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "A_SYMBOLS",
    "FINGERPRINT_BYTES",
    "SYMBOLS",
    "Fingerprint",
    "Fingerprints",
    "as_packed",
    "as_rows",
    "pack",
    "quantise",
    "unpack",
]

A_SYMBOLS = 144
SYMBOLS = 720
FINGERPRINT_BYTES = SYMBOLS // 4

Fingerprint = bytes | NDArray[np.uint8]
"""180 bytes."""
Fingerprints = NDArray[np.uint8] | Sequence[bytes]
"""Many fingerprints: an array of shape (N, 180), or a sequence."""

# The first value of symbols 1, 2 and 3, for each element.
_FIRST = np.repeat(
    [[*np.nextafter([64.0, 128.0, 192.0], 256)], [-4, 0, np.nextafter(4.0, 256)]],
    [A_SYMBOLS, SYMBOLS - A_SYMBOLS],
    axis=0,
).T.copy()
_PLACES = np.array([1, 4, 16, 64], np.uint8)
_SHIFTS = np.array([0, 2, 4, 6], np.uint8)


def quantise(
    a_elements: NDArray[np.floating], d_elements: NDArray[np.floating]
) -> NDArray[np.uint8]:
    """Turn elements into symbols.

    The thresholds are fixed. They reproduce the distribution of distances that the paper states;
    quantiles of each picture do not, and give a hundred times the false alarms.

    Parameters
    ----------
    a_elements : float ndarray, shape (..., 12, 12), or 144 values
        Grey levels: symbol 0 up to 64, 1 up to 128, 2 up to 192, 3 above.
    d_elements : float ndarray, shape (..., 12, 12, 4), or 576 values
        Differences of grey levels: symbol 0 below -4, 1 below 0, 2 up to 4, 3 above.

    Returns
    -------
    uint8 ndarray, shape (..., 720)
        Values 0..3.
    """
    several = a_elements.shape[:-2]
    elements = np.concatenate([part.reshape(*several, -1) for part in (a_elements, d_elements)], -1)
    reached = (elements[..., None, :] >= _FIRST).view(np.uint8)
    return reached[..., 0, :] + reached[..., 1, :] + reached[..., 2, :]


def pack(symbols: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pack symbols (..., 720) into bytes (..., 180)."""
    return symbols.reshape(*symbols.shape[:-1], -1, 4) @ _PLACES


def as_packed(fingerprints: Fingerprint) -> NDArray[np.uint8]:
    """View one fingerprint, or an array of them, as uint8 of shape (..., 180)."""
    packed = np.asarray(
        np.frombuffer(fingerprints, np.uint8) if isinstance(fingerprints, bytes) else fingerprints
    )
    if packed.dtype != np.uint8 or packed.shape[-1:] != (FINGERPRINT_BYTES,):
        raise ValueError(
            f"a fingerprint is {FINGERPRINT_BYTES} bytes (uint8), "
            f"not {packed.dtype} of shape {packed.shape}"
        )
    return packed


def unpack(fingerprints: Fingerprint) -> NDArray[np.uint8]:
    """Unpack bytes (..., 180) into symbols (..., 720)."""
    packed = as_packed(fingerprints)
    symbols = (packed[..., None] >> _SHIFTS) & np.uint8(3)
    return symbols.reshape(*packed.shape[:-1], SYMBOLS)


def as_rows(fingerprints: Fingerprints) -> NDArray[np.uint8]:
    """View many fingerprints as one uint8 array of shape (N, 180)."""
    if isinstance(fingerprints, np.ndarray):
        rows = fingerprints
    elif all(len(one) == FINGERPRINT_BYTES for one in fingerprints):
        rows = np.frombuffer(b"".join(fingerprints), np.uint8).reshape(-1, FINGERPRINT_BYTES)
    else:
        raise ValueError(f"every fingerprint must have {FINGERPRINT_BYTES} bytes")
    if rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != FINGERPRINT_BYTES:
        raise ValueError(
            f"fingerprints are a uint8 array of shape (N, {FINGERPRINT_BYTES}), "
            f"not {rows.dtype} of shape {rows.shape}"
        )
    return rows
