"""The rule: every tag of which the classifier is not unsure (paper, steps 2 and 6)."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .features import Network, Runtime, features_of, opened
from .head import Head
from .network import network
from .weights import read_weights

__all__ = ["FLOOR", "PANEL_FLOOR", "TagScore", "Tagger", "kept", "united"]

FLOOR = 0.05
"""A copy meets its original under at least one tag when each has all tags above it."""

PANEL_FLOOR = 0.3
"""Of the panels of a collage, for they are many, and lines in a photo make panels too."""


class TagScore(NamedTuple):
    """A tag and how sure the classifier is of it, 0..1."""

    tag: str
    confidence: float


def kept(
    tags: Sequence[str],
    confidences: Sequence[float],
    *,
    floor: float = FLOOR,
    at_most: int | None = None,
) -> list[TagScore]:
    """Choose the tags of a picture.

    Parameters
    ----------
    tags : sequence of str
    confidences : sequence of float
        As many. If one is no number, all tags are kept.
    floor : float
        Least confidence, 0..1; the best tag is kept whatever it is.
    at_most : int, optional
        How many are kept; 1 is the paper's single tag.

    Returns
    -------
    list of TagScore
        Best first, ties in the order of `tags`.
    """
    if not np.isfinite(confidences).all():
        return all_tags(tags)
    scores = sorted(map(TagScore, tags, confidences), key=lambda score: -score.confidence)
    first, *others = scores[:at_most]
    return [first, *(score for score in others if score.confidence >= floor)]


def all_tags(tags: Sequence[str]) -> list[TagScore]:
    """Give every tag the same confidence: nothing is known of the picture."""
    return [TagScore(tag, 1 / len(tags)) for tag in tags]


def united(whole: Sequence[TagScore], panels: Iterable[Sequence[TagScore]]) -> list[TagScore]:
    """Put tags of the panels of a picture after its own, each with the most that is known of it."""
    surest: dict[str, float] = {}
    for tag, confidence in (score for panel in panels for score in panel):
        surest[tag] = max(confidence, surest.get(tag, 0.0))
    own = {score.tag for score in whole}
    others = [TagScore(tag, confidence) for tag, confidence in surest.items() if tag not in own]
    return [*whole, *sorted(others, key=lambda score: -score.confidence)]


class Tagger:
    """Tells what pictures show.

    Parameters
    ----------
    head : Head
    network : Network, optional
        Without one every picture gets all tags.
    floor, at_most
        As of `kept`.
    """

    def __init__(
        self,
        head: Head,
        network: Network | None = None,
        *,
        floor: float = FLOOR,
        at_most: int | None = None,
    ) -> None:
        self._head = head
        self._network = network
        self._floor = floor
        self._at_most = at_most

    @classmethod
    def load(
        cls,
        weights: Path | None,
        head: Path | None = None,
        *,
        floor: float = FLOOR,
        at_most: int | None = None,
        runtime: Runtime | None = None,
    ) -> "Tagger":
        """Make a tagger from files; takes a quarter of a second.

        Parameters
        ----------
        weights : Path or None
            What `find_weights` says: if None, every picture gets all tags.
        head : Path, optional
            A head of one's own; by default the one that ships.
        floor, at_most
            As of `kept`.
        runtime : {"opencv", "onnxruntime"}, optional
            What runs the network; by default the faster one that is installed.

        Raises
        ------
        HeadError, WeightsError
            A file is not what it should be.
        OSError
            A file cannot be read.
        """
        running = opened(network(read_weights(weights)), runtime) if weights else None
        layer = Head.read(head) if head else Head.read()
        return cls(layer, running, floor=floor, at_most=at_most)

    @property
    def looks(self) -> bool:
        """Whether it looks at pictures; if not, there is no need to decode them."""
        return self._network is not None

    def tags_of(self, images: Iterable[NDArray[np.uint8]]) -> list[list[TagScore]]:
        """Tell what pictures show.

        Parameters
        ----------
        images : iterable of uint8 ndarray, shape (height, width) or (height, width, 3)
            Grey, or blue, green, red; upright.

        Returns
        -------
        list of list of TagScore
            Of each picture, best first; at least one.
        """
        tags = self._head.tags
        if self._network is None:
            return [all_tags(tags) for _ in images]
        confidences = self._head.confidences(features_of(images, self._network))
        return [
            kept(tags, row, floor=self._floor, at_most=self._at_most)
            for row in confidences.tolist()
        ]

    def tags_of_collage(
        self, image: NDArray[np.uint8], panels: Sequence[NDArray[np.uint8]]
    ) -> list[TagScore]:
        """Tell what a picture shows that may be made of several: it is to meet each of them.

        Parameters
        ----------
        image, panels
            The whole, and what it may be made of; pixels as of `tags_of`.

        Returns
        -------
        list of TagScore
            The tags of the whole, then others that a panel surely has, best first.
        """
        [whole] = self.tags_of([image])
        if self._network is None or self._at_most is not None or not panels:
            return whole
        tags = self._head.tags
        confidences = self._head.confidences(features_of(panels, self._network))
        return united(
            whole,
            [kept(tags, row, floor=PANEL_FLOOR) for row in confidences.tolist()],
        )
