"""All protected images, laid out for comparing: stored once, and scanned no more than needed.

A pair meets if it has a tag in common. So there is a gallery for each set of tags that images have
(with four tags at most fifteen), and an image is looked for in those whose set meets its own: each
protected image is stored once, found under each of its tags, and none is scanned in vain. Galleries
by best tag would have to be scanned nearly all, since each holds images that are listed elsewhere.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from srpitp_contracts.matching import MatchingMode
from srpitp_fingerprint import Candidate, Description, Gallery, candidates
from srpitp_fingerprint.candidates import chosen, parts
from srpitp_matching.budgets import Rules
from srpitp_matching.documents import Picture
from srpitp_matching.ids import Ids
from srpitp_matching.paper import PaperGallery, paper_candidates

__all__ = ["Looked", "Pictures"]

_FEWEST_REMOVED = 1024  # below which compacting gives nothing back


@dataclass(frozen=True, slots=True)
class Looked:
    """What looking through the protected images came to: the first phase of the cascade.

    Attributes
    ----------
    images : int
        How many were looked through.
    pairs : int
        How many fingerprints were compared.
    found : tuple of Candidate
        Their places are those of `ids`.
    ids : mapping of int to str
        Of the images that were found, by place.
    """

    images: int
    pairs: int
    found: tuple[Candidate, ...]
    ids: Mapping[int, str]

    @property
    def wanted(self) -> list[str]:
        """The images whose local features are needed to judge."""
        return sorted({self.ids[one.place] for one in self.found if one.wanted})


class Pictures:
    """The protected images; each is known by its id.

    Several threads may look at once; while one adds, removes or compacts, none may.

    Parameters
    ----------
    mode : MatchingMode
    points_limit : int
        Candidates are found by their local features too while there are at most so many images:
        beyond it these points are forgotten, since they take 7 KB an image.
    """

    def __init__(
        self, mode: MatchingMode = MatchingMode.STANDARD, *, points_limit: int = 20_000
    ) -> None:
        self._mode = mode
        self._points_limit = points_limit
        self._has_points = mode is MatchingMode.STANDARD and points_limit > 0
        self._groups: dict[frozenset[str], _Group] = {}

    def __len__(self) -> int:
        return sum(len(group.gallery) for group in self._groups.values())

    def __contains__(self, id_: str) -> bool:
        return any(group.ids.place(id_) is not None for group in self._groups.values())

    @property
    def views(self) -> int:
        """How many fingerprints are compared."""
        return sum(group.gallery.views for group in self._groups.values())

    @property
    def has_points(self) -> bool:
        """Whether local features of what is added are filed; otherwise they need not be read."""
        return self._has_points

    def add(self, pictures: Iterable[Picture]) -> None:
        """Add images, or put them in the place of those of the same ids."""
        sorted_in = defaultdict[frozenset[str], dict[str, Description]](dict)
        for id_, tags, description in pictures:
            sorted_in[tags][id_] = description
        self.remove(id_ for of in sorted_in.values() for id_ in of)
        for tags, of in sorted_in.items():
            if tags not in self._groups:
                self._groups[tags] = _Group(self._gallery())
            group = self._groups[tags]
            group.gallery.extend(of.values())
            group.ids.extend(list(of))
        if self._has_points and len(self) > self._points_limit:
            self._has_points = False
            for group in self._groups.values():
                group.gallery.forget_points()

    def remove(self, ids: Iterable[str]) -> int:
        """Remove images, of those that are here; return how many."""
        count = 0
        for id_ in ids:
            for group in self._groups.values():
                if (place := group.ids.place(id_)) is not None:
                    group.gallery.remove(place)
                    group.ids.forget(place)
                    count += 1
        return count

    def compact(self, share: float = 0.25) -> bool:
        """Give back the memory of removed images where they are more than a share of a gallery.

        Returns
        -------
        bool
            Whether there were any.
        """
        wasteful = [group for group in self._groups.values() if group.is_wasteful(share)]
        for group in wasteful:
            group.ids.keep(group.gallery.compact())
        return bool(wasteful)

    def look(self, picture: Description, tags: Collection[str] | None, rules: Rules) -> Looked:
        """Find the protected images that an image may show.

        Parameters
        ----------
        picture : Description
            Of the detected image.
        tags : collection of str, or None
            Of the image: only protected images with one of them are looked through; all, if None.
        rules : Rules
        """
        found: list[Candidate] = []
        ids: dict[int, str] = {}
        images = views = first = 0
        for group in self._meeting(tags):
            here = group.look(picture, rules)
            found += [replace(one, place=first + one.place) for one in here]
            ids |= {first + one.place: group.ids[one.place] for one in here}
            first += group.gallery.places
            images += len(group.gallery)
            views += group.gallery.views
        pairs = views * _probes(picture, rules)
        return Looked(images, pairs, _narrowed(found, picture, rules), ids)

    def _meeting(self, tags: Collection[str] | None) -> Iterator["_Group"]:
        for of, group in self._groups.items():
            if tags is None or not of.isdisjoint(tags):
                yield group

    def _gallery(self) -> Gallery | PaperGallery:
        if self._mode is MatchingMode.PAPER:
            return PaperGallery()
        return Gallery(points=self._has_points)


class _Group:
    """The images of one set of tags."""

    def __init__(self, gallery: Gallery | PaperGallery) -> None:
        self.gallery = gallery
        self.ids = Ids()

    def is_wasteful(self, share: float) -> bool:
        removed = self.gallery.places - len(self.gallery)
        return removed >= _FEWEST_REMOVED and removed > share * self.gallery.places

    def look(self, picture: Description, rules: Rules) -> list[Candidate]:
        if isinstance(self.gallery, PaperGallery):
            return paper_candidates(picture, self.gallery, rules.distance)
        return candidates(picture, self.gallery, rules.steps)


def _probes(picture: Description, rules: Rules) -> int:
    if rules.mode is MatchingMode.PAPER:
        return 1
    steps = rules.steps
    views = sum(len(part.extraction.views) for part in parts(picture, steps))
    return views * len(steps.orientations) * (2 if steps.negatives else 1)


def _narrowed(
    found: Sequence[Candidate], picture: Description, rules: Rules
) -> tuple[Candidate, ...]:
    """Leave no more to be looked at closely than one gallery of all would have left."""
    kept: list[Candidate] = []
    for number in range(len(parts(picture, rules.steps))):
        of_part = [one for one in found if one.part == number]
        closely = {one.place for one in chosen(of_part, rules.steps)}
        kept += [replace(one, wanted=one.wanted and one.place in closely) for one in of_part]
    return tuple(kept)
