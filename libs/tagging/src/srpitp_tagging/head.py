"""The head: from features to the confidence in each tag, by logistic regression."""

import io
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .network import FEATURES

__all__ = ["Head", "HeadError"]

_SHIPPED = Path(__file__).with_name("head.npz")
_TAG = re.compile(r"[a-z][a-z0-9_-]{0,31}")


class HeadError(ValueError):
    """A file that is no head; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A linear layer from features to tags.

    Attributes
    ----------
    tags : tuple of str
    weights : float32 ndarray, shape (tags, 1280)
    bias : float32 ndarray, shape (tags,)
    """

    tags: tuple[str, ...]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    def __post_init__(self) -> None:
        for tag in self.tags:
            if not _TAG.fullmatch(tag):
                raise HeadError(
                    f"the tag {tag!r}: give up to 32 of a-z, 0-9, - and _, a letter first"
                )
        count = len(self.tags)
        if count < 2 or len(set(self.tags)) < count:
            raise HeadError(f"the tags {', '.join(self.tags)}: give two or more, each once")
        for name, array, shape in (
            ("weights", self.weights, (count, FEATURES)),
            ("bias", self.bias, (count,)),
        ):
            if array.dtype != np.float32 or array.shape != shape or not np.isfinite(array).all():
                raise HeadError(
                    f"'{name}' is {array.dtype} of shape {array.shape}; "
                    f"give finite float32 of shape {shape}, a row for each tag"
                )

    @classmethod
    def read(cls, path: Path = _SHIPPED) -> "Head":
        """Read a head from a file; by default the one that ships.

        Parameters
        ----------
        path : Path
            A numpy ``.npz`` with the arrays of this class: ``tags`` (text), ``weights``, ``bias``.

        Raises
        ------
        HeadError
            The file is no head.
        OSError
            It cannot be read.
        """
        content = io.BytesIO(path.read_bytes())
        try:
            with np.load(content, allow_pickle=False) as file:
                arrays = [file[name] for name in ("tags", "weights", "bias")]
        except (KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise HeadError(
                f"{path} is no head for tags: give a numpy .npz with 'tags', 'weights' and 'bias'"
            ) from error
        tags, weights, bias = arrays
        try:
            return cls(tuple(np.atleast_1d(tags.astype(str)).tolist()), weights, bias)
        except HeadError as error:
            raise HeadError(f"{path} is no head for tags: {error}") from error

    def write(self, path: Path) -> None:
        """Write it to a file, the same bytes for the same numbers."""
        np.savez(path, tags=np.array(self.tags), weights=self.weights, bias=self.bias)

    def confidences(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Tell how sure it is of each tag.

        Parameters
        ----------
        features : float32 ndarray, shape (pictures, 1280)

        Returns
        -------
        float64 ndarray, shape (pictures, tags)
            Each row sums to 1.
        """
        scores = features.astype(np.float64) @ self.weights.T + self.bias
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares: NDArray[np.float64] = odds / odds.sum(axis=1, keepdims=True)
        return shares
