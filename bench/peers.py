"""Other fingerprints on the same pictures: PDQ, pHash and dHash, one hash of each picture."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["PDQ_USUAL", "PEERS", "nearest_bits"]

PDQ_USUAL = 31
"""Differing bits of 256, up to which PDQ's authors call two pictures the same."""


def _pdq(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    import pdqhash

    bits, _ = pdqhash.compute(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
    return np.packbits(bits.astype(np.uint8))


def _of_imagehash(name: str) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    def of(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        import imagehash
        from PIL import Image

        image = Image.fromarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
        return np.packbits(getattr(imagehash, name)(image).hash)

    return of


PEERS = {"PDQ": _pdq, "pHash": _of_imagehash("phash"), "dHash": _of_imagehash("dhash")}


def nearest_bits(query: NDArray[np.uint8], hashes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count the bits in which one hash differs from each of many."""
    bits: NDArray[np.int64] = np.bitwise_count(query ^ hashes).sum(axis=1, dtype=np.int64)
    return bits
