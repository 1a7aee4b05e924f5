"""The whole cascade: exact, then the fingerprints, then the sketches, then the local features.

It has two phases. `candidates` looks through a gallery, which may be large and apart; `decide`
takes what it found, and the local features of those few. `match` is the one after the other.
"""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from .calibration import CALIBRATION
from .candidates import (
    DEFAULT_STEPS,
    Candidate,
    Probe,
    candidates,
    chosen,
    is_near,
    parts,
    shown_by,
)
from .description import Description
from .distance import Verdict
from .features import LocalFeatures
from .gallery import Gallery
from .steps import LOWEST_BAR, Steps
from .verification import Verification, evidence, verify

__all__ = ["LEAST_AGREEMENT", "NO_LONGER_NEAR", "Match", "decide", "match"]

NO_LONGER_NEAR = 0.55
"""`Match.nearness` from which on it tells nothing."""

LEAST_AGREEMENT = 0.5
"""Of pixels, for a picture to be found by its points; copies have 0.6 and more."""


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """A picture of a gallery that an image was compared with in full.

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
    part : int
        What of it was compared: 0 for the image itself, n for its nth panel.
    mirrored : bool
        Whether it is the mirrored image that was verified.
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
    part: int = 0
    mirrored: bool = False
    points: float = 0.0
    verification: Verification | None = None
    score: float = -math.inf


def decide(
    picture: Description,
    found: Collection[Candidate],
    features: Mapping[int, LocalFeatures | None],
    steps: Steps = DEFAULT_STEPS,
) -> list[Match]:
    """Judge the candidates for an image: the second phase of `match`.

    Parameters
    ----------
    picture : Description
    found : collection of Candidate
        For this picture and these steps, as `candidates` gave them. Those of several galleries may
        be put together, if their places are told apart.
    features : mapping of int to LocalFeatures or None
        By place, of those that are `wanted`; one that is missing is not verified.
    steps : Steps

    Returns
    -------
    list of Match
        All candidates, the surest first; those that are not ``distinct`` are found.
    """
    surest: dict[int, Match] = {}
    for number, part in enumerate(parts(picture, steps)):
        of_part = [one for one in found if one.part == number]
        closely = {one.place for one in chosen(of_part, steps)}
        for one in of_part:
            is_chosen = one.place in closely
            judged = _judged(one, part, features, steps) if is_chosen else _match(one)
            known = surest.get(one.place)
            if known is None or _sureness(judged) < _sureness(known):
                surest[one.place] = judged
    return sorted(surest.values(), key=_sureness)


def _judged(
    one: Candidate,
    picture: Description,
    features: Mapping[int, LocalFeatures | None],
    steps: Steps,
) -> Match:
    """Look closely at a candidate: verify it where its nearness leaves it open."""
    if one.exact or is_near(one, steps):
        return _match(one, is_similar=not one.exact)
    mine, theirs = shown_by(picture, one), features.get(one.place)
    if not steps.verification or mine is None or theirs is None:
        return _match(one)
    verification = verify(mine, theirs)
    score = _score(one, verification)
    return _match(one, is_similar=score > steps.bar, verification=verification, score=score)


def _match(
    one: Candidate,
    *,
    is_similar: bool = False,
    verification: Verification | None = None,
    score: float = -math.inf,
) -> Match:
    verdict = Verdict.SIMILAR if is_similar else Verdict.DISTINCT
    if one.exact:  # of a panel it is only similar: a part is not the image
        verdict = Verdict.SIMILAR if one.part else Verdict.EXACT
    return Match(
        one.place,
        verdict,
        one.distance,
        one.decision_distance,
        one.sketch_distance,
        one.nearness,
        one.view,
        one.probe,
        one.part,
        one.mirrored,
        one.points,
        verification,
        score,
    )


def _score(found: Candidate, verification: Verification) -> float:
    constant, *weights, near = CALIBRATION.match
    seen = evidence(verification)
    score = constant + sum(w * x for w, x in zip(weights, seen, strict=True))
    # A part of a picture is as far from the whole as other pictures are: farther says no more.
    score += near * min(found.nearness, NO_LONGER_NEAR)
    # A caption or a watermark that both have makes points agree, but not the pixels around them.
    return score if verification.agreement >= LEAST_AGREEMENT else min(score, LOWEST_BAR)


def _sureness(one: Match) -> tuple[bool, bool, float, float, int]:
    return (
        one.verdict is not Verdict.EXACT,
        one.verdict is not Verdict.SIMILAR,
        -one.score,
        one.nearness,
        one.place,
    )


def match(
    picture: Description,
    gallery: Gallery,
    steps: Steps = DEFAULT_STEPS,
    *,
    features: Mapping[int, LocalFeatures | None] | Callable[[int], LocalFeatures | None],
) -> list[Match]:
    """Find the pictures of a gallery that an image shows.

    Parameters
    ----------
    picture : Description
        Of the detected image.
    gallery : Gallery
        Of the protected pictures.
    steps : Steps
    features : mapping, or callable
        Gives the local features of a picture by its place, or None: asked for candidates only.

    Returns
    -------
    list of Match
        All that came to be compared in full, the surest first; those that are not ``distinct``
        are found.
    """
    found = candidates(picture, gallery, steps)
    give = features if callable(features) else features.get
    return decide(
        picture, found, {one.place: give(one.place) for one in found if one.wanted}, steps
    )
