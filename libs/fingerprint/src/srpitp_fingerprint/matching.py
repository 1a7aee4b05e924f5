"""The whole cascade: exact, then the fingerprints, then the sketches, then the local features."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .calibration import CALIBRATION
from .description import Description
from .distance import Verdict
from .gallery import Comparison, Gallery, Probe
from .orientation import negative, permute
from .sketch import negative_sketch, orient_sketch
from .steps import LOWEST_BAR, Steps
from .verification import Verification, verify

__all__ = ["Match", "match"]

_COMPARED_IN_FULL = 20  # pictures that are told of, of those whose sketches were compared
_LEAST_AGREEMENT = 0.35  # of pixels; copies have 0.5 and more
_UNRELATED = 0.45  # sketch distance of other pictures that are near by their fingerprints


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """A protected picture that an image was compared with in full.

    Attributes
    ----------
    place : int
        In the gallery.
    verdict : Verdict
    distance, decision_distance, sketch_distance : float
        Of the nearest views.
    nearness : float
        The distances and the plainness of both weighed together: small is near.
    points : float
        That both have in common, as far as they are filed.
    view : str
        Of the protected picture.
    probe : Probe
        View and orientation of the detected one.
    verification : Verification or None
        None if none was needed, or none was possible.
    score : float
        Log-odds, for a candidate, that both show the same photo; of all that is known.
    """

    place: int
    verdict: Verdict
    distance: float
    decision_distance: float
    sketch_distance: float
    nearness: float
    view: str
    probe: Probe
    points: float = 0.0
    verification: Verification | None = None
    score: float = -math.inf


DEFAULT_STEPS = Steps()
_SKETCH_WEIGHT, _PLAINNESS_WEIGHT = 0.5, 0.5
MIRRORING = ("hflip", "vflip", "transpose", "antitranspose")


def probes(picture: Description, steps: Steps = DEFAULT_STEPS) -> list[Probe]:
    """List the renditions in which a picture is looked for."""
    found = [
        Probe(
            view.name,
            orientation,
            False,
            permute(view.fingerprint, orientation),
            orient_sketch(view.sketch, orientation),
        )
        for view in picture.extraction.views
        for orientation in steps.orientations
    ]
    if steps.negatives:
        found += [
            p._replace(
                negative=True,
                fingerprint=negative(p.fingerprint),
                sketch=negative_sketch(p.sketch),
            )
            for p in found
        ]
    return found


def _nearness(pairs: Comparison, steps: Steps) -> NDArray[np.float64]:
    """Weigh the distances: plain pictures, which share a layout easily, count as farther."""
    sketches = pairs.sketch if steps.sketches else np.full_like(pairs.sketch, _UNRELATED)
    return pairs.decision + _SKETCH_WEIGHT * sketches + _PLAINNESS_WEIGHT * pairs.plainness


def _compared(
    gallery: Gallery,
    places: NDArray[np.int64],
    renditions: list[Probe],
    which: NDArray[np.int64],
    steps: Steps,
) -> list[Match]:
    """Compare pictures, each with its probe: the nearest first."""
    pairs = gallery.compare(places, renditions, which)
    near = _nearness(pairs, steps)
    found: dict[int, Match] = {}
    for k in np.argsort(near, kind="stable").tolist():
        if len(found) == _COMPARED_IN_FULL:
            break
        number = int(pairs.which[k])
        if number not in found:
            place = int(places[number])
            found[number] = Match(
                place,
                Verdict.DISTINCT,
                float(pairs.distance[k]),
                float(pairs.decision[k]),
                float(pairs.sketch[k]),
                float(near[k]),
                gallery.pictures[place].extraction.views[int(pairs.view[k])].name,
                renditions[int(which[number])],
            )
    return list(found.values())


def _by_fingerprint(picture: Description, gallery: Gallery, steps: Steps) -> list[Match]:
    renditions = probes(picture, steps)
    differing, which = gallery.scan(renditions)
    # Of equal distances the first places: the same whichever way the numbers were sorted.
    places = np.argsort(differing, kind="stable")[: steps.shortlist]
    return _compared(gallery, places, renditions, which[places], steps)


def _by_points(
    picture: Description, gallery: Gallery, steps: Steps
) -> dict[int, tuple[float, bool]]:
    """Find candidates by local features: points in common, and whether they are mirrored."""
    sides = [side for side in (picture.features, picture.mirrored) if side is not None]
    if not sides:
        return {}
    votes = np.stack([gallery.index.votes(side) for side in sides])
    best = votes.max(axis=0)
    places = np.argsort(-best, kind="stable")[: steps.sharing]
    return {
        int(place): (float(best[place]), bool(votes[:, place].argmax()))
        for place in places
        if best[place] >= steps.points
    }


def _verified(
    found: Match, mirrored: bool, picture: Description, gallery: Gallery, steps: Steps
) -> Match:
    mine = picture.mirrored if mirrored else picture.features
    theirs = gallery.pictures[found.place].features
    if mine is None or theirs is None:
        return found
    verification = verify(mine, theirs)
    score = _score(found, verification)
    similar = score > steps.bar
    return replace(
        found,
        verification=verification,
        score=score,
        verdict=Verdict.SIMILAR if similar else found.verdict,
    )


def _score(found: Match, verification: Verification) -> float:
    constant, inliers, agreement, spread, near, points = CALIBRATION.match
    score = (
        constant
        + inliers * math.log1p(verification.inliers)
        + agreement * verification.agreement
        + spread * verification.spread
        + near * found.nearness
        + points * math.log1p(found.points)
    )
    # A caption or a watermark that both have makes points agree, but not the pixels around them.
    return score if verification.agreement >= _LEAST_AGREEMENT else min(score, LOWEST_BAR)


def match(picture: Description, gallery: Gallery, steps: Steps = DEFAULT_STEPS) -> list[Match]:
    """Find the protected pictures that an image shows.

    Parameters
    ----------
    picture : Description
        Of the detected image.
    gallery : Gallery
        Of the protected pictures.
    steps : Steps

    Returns
    -------
    list of Match
        All that came to be compared in full, the surest first; those that are not ``distinct``
        are found.
    """
    if not len(gallery):
        return []
    found = {one.place: one for one in _matched(picture, gallery, steps)}
    for panel in picture.panels if steps.panels else ():
        for one in _matched(panel, gallery, steps):
            if one.verdict is Verdict.EXACT:  # of a part, which is not the image
                one = replace(one, verdict=Verdict.SIMILAR)
            known = found.get(one.place)
            if known is None or _sureness(one) < _sureness(known):
                found[one.place] = one
    return sorted(found.values(), key=_sureness)


def _matched(picture: Description, gallery: Gallery, steps: Steps) -> list[Match]:
    """Take all steps for one picture, or one panel of a collage."""
    exact = gallery.exact(picture)
    found: dict[int, Match] = {}
    if steps.fingerprints:
        found = {one.place: one for one in _by_fingerprint(picture, gallery, steps)}
    points = _by_points(picture, gallery, steps) if steps.index else {}
    unseen = np.array([place for place in {*exact, *points} if place not in found], np.int64)
    upright = probes(picture, replace(steps, orientations=("identity",), negatives=False))[:1]
    nothing = np.zeros(len(unseen), np.int64)
    found |= {m.place: m for m in _compared(gallery, unseen, upright, nothing, steps)}
    found |= {place: replace(found[place], points=votes) for place, (votes, _) in points.items()}
    found |= {place: replace(found[place], verdict=Verdict.EXACT) for place in exact}
    for place in _candidates(found, steps):
        one = found[place]
        if one.verdict is Verdict.EXACT:
            continue
        plain = picture.extraction.textureless or gallery.pictures[place].extraction.textureless
        if one.nearness <= steps.tight and not plain:
            found[place] = replace(one, verdict=Verdict.SIMILAR)
        elif steps.verification:
            _, mirrored = points.get(place, (0, one.probe.orientation in MIRRORING))
            found[place] = _verified(one, mirrored, picture, gallery, steps)
    return list(found.values())


def _candidates(found: dict[int, Match], steps: Steps) -> list[int]:
    """Choose what is looked at closely: what is nearest, and what has the most points in common."""
    near = sorted(found.values(), key=lambda m: (m.nearness, m.place))[: steps.nearest]
    sharing = sorted(found.values(), key=lambda m: (-m.points, m.place))[: steps.sharing]
    return [m.place for m in dict.fromkeys([*near, *(m for m in sharing if m.points)])]


def _sureness(one: Match) -> tuple[bool, bool, float, float, int]:
    return (
        one.verdict is not Verdict.EXACT,
        one.verdict is not Verdict.SIMILAR,
        -one.score,
        one.nearness,
        one.place,
    )
