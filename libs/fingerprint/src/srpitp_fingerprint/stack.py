"""Many pictures as arrays: what a gallery keeps of each, and no object for any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .description import Description
from .sketch import SKETCH_BYTES
from .symbols import as_rows

__all__ = ["Stack"]


class Stack(NamedTuple):
    """N pictures in the robust profile, without their local features; they have V views in all.

    Attributes
    ----------
    digests : uint8 ndarray, shape (N, 32)
    textureless : bool ndarray, shape (N,)
        Whether each is too plain for anything but an exact match.
    counts : int ndarray, shape (N,)
        Views of each, one at least: the first one is of the whole picture.
    names : sequence of str, of length V
        Of the views of all pictures, one picture after the other.
    fingerprints : uint8 ndarray, shape (V, 180)
    sketches : uint8 ndarray, shape (V, 32)
    """

    digests: NDArray[np.uint8]
    textureless: NDArray[np.bool_]
    counts: NDArray[np.int64]
    names: Sequence[str]
    fingerprints: NDArray[np.uint8]
    sketches: NDArray[np.uint8]

    @classmethod
    def of(cls, pictures: Sequence[Description]) -> Stack:
        """Stack pictures; the views of their panels count as theirs.

        Raises
        ------
        ValueError
            A picture of the paper's profile.
        """
        extractions = [one.extraction for one in pictures]
        if any(of.profile != "robust" for of in extractions):
            raise ValueError("a gallery takes pictures in the robust profile only")
        views = [
            [view for of in (one, *one.panels) for view in of.extraction.views] for one in pictures
        ]
        every = [view for of in views for view in of]
        digests = b"".join(bytes.fromhex(of.digest) for of in extractions)
        sketches = b"".join(view.sketch for view in every)
        return cls(
            np.frombuffer(digests, np.uint8).reshape(len(pictures), -1),
            np.array([of.textureless for of in extractions], np.bool_),
            np.array([len(of) for of in views], np.int64),
            [view.name for view in every],
            as_rows([view.fingerprint for view in every]),
            np.frombuffer(sketches, np.uint8).reshape(-1, SKETCH_BYTES),
        )
