"""All protected images, laid out for comparing: stored once, and scanned no more than needed.

A pair meets if it has a tag in common. So there is a gallery for each set of tags that images have
(with four tags at most fifteen), and an image is looked for in those whose set meets its own: each
protected image is stored once, found under each of its tags, and none is scanned in vain. Galleries
by best tag would have to be scanned nearly all, since each holds images that are listed elsewhere.

To look through a gallery takes some milliseconds however small it is. So as long as few images are
protected there is one for all, and every pair meets: that takes less time, and misses none.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from srpitp_contracts.matching import MatchingMode
from srpitp_fingerprint import Candidate, Description, Gallery, candidates_of_each
from srpitp_fingerprint.candidates import chosen, is_open, parts
from srpitp_matching.budgets import Rules
from srpitp_matching.documents import Picture
from srpitp_matching.ids import Ids
from srpitp_matching.paper import PaperGallery, paper_candidates
from srpitp_matching.stacked import StackedPictures

__all__ = ["Asked", "Looked", "Pictures", "look_through"]

_FEWEST_REMOVED = 1024  # below which compacting gives nothing back

Asked = tuple[Description, Collection[str] | None]
"""A detected image, and its tags: only protected images with one of them are looked through, where
these are laid out by tags. None asks for all."""


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
        beyond it these points are forgotten, since they take 10 KB an image.
    by_tags : bool
        Whether only pairs with a tag in common meet.
    """

    def __init__(
        self,
        mode: MatchingMode = MatchingMode.STANDARD,
        *,
        points_limit: int = 20_000,
        by_tags: bool = True,
    ) -> None:
        self._mode = mode
        self.by_tags = by_tags
        self._points_limit = points_limit
        self._has_points = mode is MatchingMode.STANDARD and points_limit > 0
        self._groups: dict[frozenset[str], _Group] = {}

    def __len__(self) -> int:
        return sum(len(group.gallery) for group in self._groups.values())

    def __contains__(self, id_: str) -> bool:
        return any(len(group.ids.places([id_])) for group in self._groups.values())

    @property
    def places(self) -> int:
        """How many images take memory, those that were removed and not compacted included."""
        return sum(group.gallery.places for group in self._groups.values())

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
        added = list(pictures)
        self.remove(id_ for id_, *_ in added)
        self.extend(added)

    def extend(self, pictures: Iterable[Picture]) -> None:
        """Add images that are not here yet, which takes less time than to `add` them."""
        sorted_in = defaultdict[frozenset[str], dict[str, Description]](dict)
        for id_, tags, description in pictures:
            sorted_in[tags if self.by_tags else frozenset()][id_] = description
        for tags, of in sorted_in.items():
            group = self._group(tags)
            group.gallery.extend(of.values())
            group.ids.extend(list(of))
        self._forget_points()

    def extend_stacked(self, pictures: StackedPictures) -> None:
        """Add images that lie in arrays and are not here yet, without any local features."""
        group = self._group(pictures.tags if self.by_tags else frozenset())
        group.gallery.extend_stack(pictures.stack)
        group.ids.extend_ours(pictures.ids)
        self._forget_points()

    def _group(self, tags: frozenset[str]) -> "_Group":
        if tags not in self._groups:
            self._groups[tags] = _Group(self._gallery())
        return self._groups[tags]

    def _forget_points(self) -> None:
        """Forget the points of all once there are too many."""
        if self._has_points and len(self) > self._points_limit:
            self._has_points = False
            for group in self._groups.values():
                group.gallery.forget_points()

    def remove(self, ids: Iterable[str]) -> int:
        """Remove images, of those that are here; return how many."""
        gone, count = set(ids), 0
        for group in self._groups.values():
            places = group.ids.places(gone)
            if len(places):
                group.gallery.remove(places)
                group.ids.forget(places)
                count += len(places)
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
        [looked] = look_through([self], [(picture, tags)], rules)
        return looked

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

    def look(self, pictures: Sequence[Description], rules: Rules) -> list[list[Candidate]]:
        if isinstance(self.gallery, PaperGallery):
            return paper_candidates(pictures, self.gallery, rules.distance)
        return candidates_of_each(pictures, self.gallery, rules.steps)


def look_through(
    parts_of_all: Sequence[Pictures], asked: Sequence[Asked], rules: Rules
) -> list[Looked]:
    """Find for each of many images the protected ones that it may show, in little time.

    Parameters
    ----------
    parts_of_all : sequence of Pictures
        All protected images, in as many parts as there may be.
    asked : sequence of Asked
        Some hundreds.
    rules : Rules

    Returns
    -------
    list of Looked
        For each of `asked`.
    """
    gathered = [_Gathered() for _ in asked]
    for of_all in parts_of_all:
        for tags, group in of_all._groups.items():
            meeting = [
                number
                for number, (_, wanted) in enumerate(asked)
                if wanted is None or not of_all.by_tags or not tags.isdisjoint(wanted)
            ]
            here = group.look([asked[number][0] for number in meeting], rules)
            images, views = len(group.gallery), group.gallery.views
            for number, found in zip(meeting, here, strict=True):
                gathered[number].add(images, views, [(group.ids[of.place], of) for of in found])
    return [of.looked(picture, rules) for of, (picture, _) in zip(gathered, asked, strict=True)]


@dataclass(slots=True)
class _Gathered:
    """What was found for an image up to now."""

    found: list[tuple[str, Candidate]] = field(default_factory=list)
    images: int = 0
    views: int = 0

    def add(self, images: int, views: int, found: Sequence[tuple[str, Candidate]]) -> None:
        self.found += found
        self.images += images
        self.views += views

    def looked(self, picture: Description, rules: Rules) -> Looked:
        # Places in the order of the ids: of equally near ones, those that are looked at closely
        # are the same in whichever order and in however many parts all were stored.
        place_of = {id_: place for place, id_ in enumerate(sorted({id_ for id_, _ in self.found}))}
        found = [replace(one, place=place_of[id_]) for id_, one in self.found]
        return Looked(
            self.images,
            self.views * _probes(picture, rules),
            _narrowed(found, picture, rules),
            {place: id_ for id_, place in place_of.items()},
        )


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
    for number, part in enumerate(parts(picture, rules.steps)):
        of_part = [one for one in found if one.part == number]
        closely = {one.place for one in chosen(of_part, rules.steps)}
        kept += [
            replace(one, wanted=one.place in closely and is_open(one, part, rules.steps))
            for one in of_part
        ]
    return tuple(kept)
