"""The protected images of the paper's mode: one fingerprint each, nothing else is looked at."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from srpitp_fingerprint import Candidate, Description, Probe, Slab, Stack, search

__all__ = ["PaperGallery", "paper_candidates"]

_MOST = 100  # protected images within the threshold that are told of
_PROBE = Probe("whole", "identity", negative=False)


class PaperGallery:
    """Fingerprints of the paper's profile; as far as it goes, it is used as a `Gallery`."""

    has_points = False

    def __init__(self) -> None:
        self.slab = Slab()

    def __len__(self) -> int:
        return len(self.slab) - self.slab.removed

    @property
    def places(self) -> int:
        """How many places there are, those of removed pictures included."""
        return len(self.slab)

    @property
    def views(self) -> int:
        """How many fingerprints are compared."""
        return len(self)

    def extend(self, pictures: Iterable[Description]) -> range:
        """Add pictures; return their places."""
        return self.slab.append([one.extraction.views[0].fingerprint for one in pictures])

    def extend_stack(self, stack: Stack) -> range:
        """Add pictures that lie in arrays; return their places."""
        return self.slab.append(stack.fingerprints[np.cumsum(stack.counts) - stack.counts])

    def remove(self, places: ArrayLike) -> None:
        """Remove pictures: they are not found any more."""
        self.slab.remove(np.asarray(places, np.int64))

    def compact(self) -> NDArray[np.int64]:
        """Give back the memory of removed pictures; return the old place of each that is left."""
        kept = np.flatnonzero(self.slab.live)
        self.slab = Slab.of(self.slab.rows(kept))
        return kept

    def forget_points(self) -> None:
        """Do nothing: there are none."""


def paper_candidates(
    pictures: Sequence[Description], gallery: PaperGallery, threshold: float
) -> list[list[Candidate]]:
    """Find for each image those within the paper's threshold, the nearest first.

    Formulas (1) and (2).
    """
    if not len(gallery) or not pictures:
        return [[] for _ in pictures]
    views = [picture.extraction.views[0] for picture in pictures]
    distances, places = search(
        gallery.slab,
        [view.fingerprint for view in views],
        k=_MOST,
        max_distance=threshold,
        metric="plain",
    )
    found: list[list[Candidate]] = [[] for _ in views]
    for number, rank in np.argwhere(places >= 0).tolist():  # few, of many places that are none
        distance, place = float(distances[number, rank]), int(places[number, rank])
        found[number].append(_candidate(views[number].name, distance, place))
    return found


def _candidate(view: str, distance: float, place: int) -> Candidate:
    return Candidate(
        place,
        part=0,
        exact=distance == 0,
        distance=distance,
        decision_distance=distance,
        sketch_distance=0.0,
        nearness=distance,
        view=view,
        probe=_PROBE,
        plain=False,
    )
