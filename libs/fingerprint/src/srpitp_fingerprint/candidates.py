"""The first phase of the cascade: which pictures an image may show, by what is kept of them all."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .description import Description
from .features import LocalFeatures
from .gallery import Comparison, Gallery
from .orientation import Orientation, negative, permute
from .sketch import SKETCH_BYTES, negative_sketch, orient_sketch
from .steps import Steps
from .symbols import as_rows

__all__ = [
    "DEFAULT_STEPS",
    "Candidate",
    "Probe",
    "candidates",
    "candidates_of_each",
    "chosen",
    "is_near",
    "is_open",
    "parts",
    "shown_by",
]

DEFAULT_STEPS = Steps()
_COMPARED_IN_FULL = 20  # pictures that are told of, of those whose sketches were compared
_UNRELATED = 0.45  # sketch distance of other pictures that are near by their fingerprints
_SKETCH_WEIGHT, _PLAINNESS_WEIGHT = 0.5, 0.5
_IN_OTHER_TONES = (0.08, 0.75, 0.7, 0.25)
_UPRIGHT = Steps(orientations=("identity",), negatives=False)
_MIRRORING = ("hflip", "vflip", "transpose", "antitranspose")


class Probe(NamedTuple):
    """One rendition in which a picture is looked for."""

    view: str
    orientation: Orientation
    negative: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """A picture of a gallery that an image may show.

    Attributes
    ----------
    place : int
        In the gallery.
    part : int
        0 for the image itself, n for its nth panel.
    exact : bool
        Whether the bytes or the fingerprints are the same.
    distance, decision_distance, sketch_distance : float
        Of the nearest views.
    nearness : float
        The distances and the plainness of both weighed together: small is near.
    view : str
        Of the gallery's picture.
    probe : Probe
        View and orientation of the image.
    plain : bool
        Whether one of both is too plain for its fingerprint to say anything but ``exact``.
    points : float
        That both have in common, as far as they are filed.
    mirrored : bool
        Whether it is the mirrored image that shows the picture.
    wanted : bool
        Whether the picture's local features are needed to decide.
    """

    place: int
    part: int
    exact: bool
    distance: float
    decision_distance: float
    sketch_distance: float
    nearness: float
    view: str
    probe: Probe
    plain: bool
    points: float = 0.0
    mirrored: bool = False
    wanted: bool = False


class _Renditions(NamedTuple):
    """A picture in all the ways in which it is looked for; as it is comes first."""

    probes: list[Probe]
    rows: NDArray[np.uint8]
    sketches: NDArray[np.uint8]


def _renditions(picture: Description, steps: Steps) -> _Renditions:
    probes, rows, sketches = [], [], []
    views = picture.extraction.views
    for is_negative in (False, True) if steps.negatives else (False,):
        for view in views:
            for orientation in steps.orientations:
                row = permute(view.fingerprint, orientation)
                sketch = orient_sketch(view.sketch, orientation)
                probes.append(Probe(view.name, orientation, is_negative))
                rows.append(negative(row) if is_negative else row)
                sketches.append(negative_sketch(sketch) if is_negative else sketch)
    packed = np.frombuffer(b"".join(sketches), np.uint8).reshape(-1, SKETCH_BYTES)
    return _Renditions(probes, as_rows(rows), packed)


def _nearness(pairs: Comparison, steps: Steps) -> NDArray[np.float64]:
    """Weigh the distances: plain pictures, which share a layout easily, count as farther.

    Other tones (equalised, much brighter) change how strong differences are, not which way they
    go. So pictures are near as well if these directions and the sketches agree.
    """
    sketches = pairs.sketch if steps.sketches else np.full_like(pairs.sketch, _UNRELATED)
    usual = pairs.decision + _SKETCH_WEIGHT * sketches + _PLAINNESS_WEIGHT * pairs.plainness
    least, layout, turned, opposed = _IN_OTHER_TONES
    other = least + layout * (sketches + pairs.plainness)
    other += turned * pairs.turned + opposed * pairs.opposed
    return np.asarray(np.minimum(usual, other))


def _compared(
    picture: Description,
    part: int,
    gallery: Gallery,
    places: NDArray[np.int64],
    renditions: _Renditions,
    which: NDArray[np.int64],
    steps: Steps,
    most: int,
) -> dict[int, Candidate]:
    """Compare pictures, each with its probe: the nearest of them."""
    pairs = gallery.compare(places, renditions.rows[which], renditions.sketches[which])
    near = _nearness(pairs, steps)
    order = np.argsort(near, kind="stable")
    _, first = np.unique(pairs.which[order], return_index=True)
    found = {}
    for k in order[np.sort(first)[:most]].tolist():
        number = int(pairs.which[k])
        place, probe = int(places[number]), renditions.probes[int(which[number])]
        found[place] = Candidate(
            place,
            part,
            exact=False,
            distance=float(pairs.distance[k]),
            decision_distance=float(pairs.decision[k]),
            sketch_distance=float(pairs.sketch[k]),
            nearness=float(near[k]),
            view=gallery.name(int(pairs.view[k])),
            probe=probe,
            plain=picture.extraction.textureless or gallery.textureless(place),
            mirrored=probe.orientation in _MIRRORING,
        )
    return found


def _by_points(
    picture: Description, gallery: Gallery, steps: Steps
) -> dict[int, tuple[float, bool]]:
    """Find candidates by local features: points in common, and whether they are mirrored."""
    sides = [
        (gallery.sharing(side), mirrored)
        for side, mirrored in ((picture.features, False), (picture.mirrored, True))
        if side is not None
    ]
    if not sides:
        return {}
    places = np.concatenate([of for (of, _), _ in sides])
    votes = np.concatenate([of for (_, of), _ in sides])
    mirrored = np.concatenate([np.full(len(of), is_so) for (of, _), is_so in sides])
    order = np.lexsort((mirrored, places, -votes))
    found: dict[int, tuple[float, bool]] = {}
    for k in order[votes[order] >= steps.points].tolist():
        if len(found) == steps.sharing:
            break
        found.setdefault(int(places[k]), (float(votes[k]), bool(mirrored[k])))
    return found


def parts(picture: Description, steps: Steps) -> list[Description]:
    """List what is looked for: the image, and the panels that it is made of."""
    return [picture, *(picture.panels if steps.panels else ())]


def candidates(
    picture: Description, gallery: Gallery, steps: Steps = DEFAULT_STEPS
) -> list[Candidate]:
    """Find the pictures of a gallery that an image may show.

    It takes no local features but those of the image: `decide` takes those that are `wanted`.

    The roles may be exchanged: which detected pictures of a gallery may show a protected one. Then
    many may, so let `nearest`, `sharing` and `shortlist` of the steps be larger, and decide each
    by `match`, of the detected picture in a gallery of the protected one. All eight orientations,
    or the two of the default, are looked through both ways alike.

    Parameters
    ----------
    picture : Description
    gallery : Gallery
    steps : Steps

    Returns
    -------
    list of Candidate
        Of the image and of each of its panels: all that came to be compared in full.
    """
    return candidates_of_each([picture], gallery, steps)[0]


def candidates_of_each(
    pictures: Sequence[Description], gallery: Gallery, steps: Steps = DEFAULT_STEPS
) -> list[list[Candidate]]:
    """Find for each of many images what `candidates` finds, in less time.

    Parameters
    ----------
    pictures : sequence of Description
        Some hundreds: what is found of all of them lies in memory at once.
    gallery : Gallery
    steps : Steps
    """
    found: list[list[Candidate]] = [[] for _ in pictures]
    if not len(gallery):
        return found
    every = [
        (which, number, part)
        for which, picture in enumerate(pictures)
        for number, part in enumerate(parts(picture, steps))
    ]
    scanned = _scanned([part for *_, part in every], gallery, steps)
    for (which, number, part), near in zip(every, scanned, strict=True):
        found[which] += _candidates(part, number, gallery, steps, near)
    return found


class _Scanned(NamedTuple):
    """What the scan over fingerprints found for a picture."""

    looked_for: _Renditions
    places: NDArray[np.int64]
    which: NDArray[np.int64]


def _scanned(
    pictures: Sequence[Description], gallery: Gallery, steps: Steps
) -> list[_Scanned | None]:
    if not steps.fingerprints:
        return [None] * len(pictures)
    looked_for = [_renditions(picture, steps) for picture in pictures]
    found = gallery.scan_each([of.rows for of in looked_for], steps.shortlist)
    return [_Scanned(of, *near) for of, near in zip(looked_for, found, strict=True)]


def _candidates(
    picture: Description, part: int, gallery: Gallery, steps: Steps, near: _Scanned | None
) -> list[Candidate]:
    """Take the steps for one picture, or one panel of a collage."""
    found: dict[int, Candidate] = {}
    if near is not None:
        most = max(_COMPARED_IN_FULL, steps.nearest)
        found = _compared(
            picture, part, gallery, near.places, near.looked_for, near.which, steps, most
        )
    exact = gallery.exact(picture)
    points = _by_points(picture, gallery, steps) if steps.index else {}
    if unseen := sorted({*exact, *points} - found.keys()):
        places, which = np.array(unseen), np.zeros(len(unseen), np.int64)
        upright = _renditions(picture, _UPRIGHT)
        found |= _compared(picture, part, gallery, places, upright, which, steps, len(unseen))
    for place, (votes, mirrored) in points.items():
        found[place] = replace(found[place], points=votes, mirrored=mirrored)
    for place in exact:
        found[place] = replace(found[place], exact=True)
    looked_at = {one.place for one in chosen(found.values(), steps)}
    return [
        replace(one, wanted=one.place in looked_at and is_open(one, picture, steps))
        for one in found.values()
    ]


def is_open(one: Candidate, picture: Description, steps: Steps) -> bool:
    """Tell whether a candidate for a picture is to be verified, and can be."""
    needs_it = steps.verification and not one.exact and not is_near(one, steps)
    return needs_it and shown_by(picture, one) is not None


def shown_by(picture: Description, one: Candidate) -> LocalFeatures | None:
    """Give the features of the side of an image that shows a candidate."""
    return picture.mirrored if one.mirrored else picture.features


def is_near(one: Candidate, steps: Steps) -> bool:
    """Tell whether a candidate is so near that it needs no verification."""
    return one.nearness <= steps.tight and not one.plain


def chosen(found: Collection[Candidate], steps: Steps) -> list[Candidate]:
    """Choose what is looked at closely: what is nearest, and what has the most points in common."""
    near = sorted(found, key=lambda one: (one.nearness, one.place))[: steps.nearest]
    sharing = sorted(found, key=lambda one: (-one.points, one.place))[: steps.sharing]
    return list({one.place: one for one in (*near, *(s for s in sharing if s.points))}.values())
