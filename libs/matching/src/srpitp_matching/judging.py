"""What becomes of the images that were found: verdicts, and whether a reviewer is needed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from srpitp_contracts import matching as contract
from srpitp_contracts.identifiers import match_id
from srpitp_contracts.matching import Alignment, MatchingMode, MatchState, Verdict, Verification
from srpitp_fingerprint import Box, Description, LocalFeatures, Match, decide
from srpitp_fingerprint import Verdict as Told
from srpitp_matching.budgets import Rules
from srpitp_matching.documents import DetectedFacts, Picture, ProtectedFacts
from srpitp_matching.pictures import Looked, Pictures

__all__ = ["CONFIDENT_RULE", "EXACT_RULE", "Judged", "judge", "judge_pair", "match_of"]

EXACT_RULE = "rule:exact"
CONFIDENT_RULE = "rule:confident"


@dataclass(frozen=True, slots=True)
class Judged:
    """A protected image that a detected one shows, or may show.

    Attributes
    ----------
    protected_id : str
    verdict : Verdict
        ``exact`` or ``similar``.
    confident : bool
        Whether it is confirmed without a reviewer: it is exact, or within the alarm's limits.
    distance, decision_distance : float
        Of the nearest views; 0 if it is exact.
    verification : Verification or None
        What the verdict was taken on; None if it is exact, and in paper mode.
    """

    protected_id: str
    verdict: Verdict
    confident: bool
    distance: float
    decision_distance: float
    verification: Verification | None


def judge(
    picture: Description,
    looked: Looked,
    features: Mapping[str, LocalFeatures | None],
    rules: Rules,
) -> list[Judged]:
    """Judge what was found for an image: the second phase of the cascade.

    Parameters
    ----------
    picture : Description
        Of the detected image, as it was looked for.
    looked : Looked
        By the same rules.
    features : mapping of str to LocalFeatures or None
        Of the protected images that are `Looked.wanted`, by id. One that is missing is judged by
        its fingerprint alone.
    rules : Rules

    Returns
    -------
    list of Judged
        The surest first.
    """
    if rules.mode is MatchingMode.PAPER:
        return _by_algorithm_2(looked)
    plain = {(one.place, one.part) for one in looked.found if one.plain}
    by_place = {place: features.get(id_) for place, id_ in looked.ids.items()}
    decided = decide(picture, looked.found, by_place, rules.steps)
    ordered = sorted(decided, key=lambda one: (_sureness(one), looked.ids[one.place]))
    judged = (
        _judged(one, picture, looked.ids[one.place], rules, (one.place, one.part) in plain)
        for one in ordered
    )
    return [one for one in judged if one]


def judge_pair(picture: Description, protected: Picture, rules: Rules) -> Judged | None:
    """Judge one detected image and one protected one, with its local features."""
    pair = Pictures(rules.mode)
    pair.add([protected])
    looked = pair.look(picture, None, rules)
    judged = judge(picture, looked, {protected.id: protected.description.features}, rules)
    return judged[0] if judged else None


def match_of(
    judged: Judged,
    protected: ProtectedFacts,
    detected: DetectedFacts,
    rules: Rules,
    moment: datetime,
) -> contract.Match:
    """Make the match that is to be noted, unless the pair was judged before.

    Formula (2) of the paper, and beyond it: what is exact, or within the alarm's limits, is
    confirmed by rule; what else is similar goes to a reviewer.
    """
    rule = EXACT_RULE if judged.verdict is Verdict.EXACT else CONFIDENT_RULE
    common = (tag for tag in detected.tags if tag in protected.tags)
    return contract.Match(
        id=match_id(protected.id, detected.id),
        owner_id=protected.owner_id,
        protected_id=protected.id,
        protected_title=protected.title,
        protected_digest=protected.digest,
        detected_id=detected.id,
        detected_digest=detected.digest,
        detected_tag=detected.tag,
        image_address=detected.image_address,
        tag=next(common, protected.tag),
        verdict=judged.verdict,
        distance=judged.distance,
        decision_distance=judged.decision_distance,
        threshold=rules.distance,
        verification=judged.verification,
        state=MatchState.CONFIRMED if judged.confident else MatchState.IN_REVIEW,
        decided_by=rule if judged.confident else None,
        decided_at=moment if judged.confident else None,
        note="",
        created_at=moment,
    )


def _judged(
    one: Match, picture: Description, id_: str, rules: Rules, is_plain: bool
) -> Judged | None:
    if one.verdict is Told.EXACT:
        return Judged(id_, Verdict.EXACT, True, 0.0, 0.0, None)
    confident, similar = _passed(one, rules, is_plain)
    if not similar:
        return None
    return Judged(
        id_,
        Verdict.SIMILAR,
        confident,
        one.distance,
        one.decision_distance,
        _verification(one, picture),
    )


def _passed(one: Match, rules: Rules, is_plain: bool) -> tuple[bool, bool]:
    """Tell whether a pair lies within the alarm's limits, and whether it is similar at all."""
    if rules.alarm is None or rules.review is None:
        return False, one.decision_distance <= rules.distance and not is_plain
    is_similar = one.verdict is Told.SIMILAR
    # Without verification it is within the alarm's nearness, or a panel with the same fingerprint.
    confident = one.score > rules.alarm.bar or (is_similar and one.verification is None)
    is_near = one.nearness <= rules.review.tight and not is_plain
    return confident, confident or is_similar or is_near


def _verification(one: Match, picture: Description) -> Verification:
    return Verification(
        protected_view=one.view,
        detected_view=one.probe.view,
        orientation=one.probe.orientation,
        negative=one.probe.negative,
        sketch_distance=one.sketch_distance,
        nearness=one.nearness,
        points=one.points,
        score=one.score if math.isfinite(one.score) else None,
        alignment=_alignment(one, picture),
    )


def _alignment(one: Match, picture: Description) -> Alignment | None:
    seen = one.verification
    if seen is None or seen.transform is None:
        return None
    transform = seen.transform
    if one.part:
        transform = _from_the_whole(transform, picture.panels[one.part - 1].box, one.mirrored)
    x, y = (tuple(row) for row in transform.tolist())
    return Alignment(
        transform=(x, y),
        mirrored=one.mirrored,
        inliers=seen.inliers,
        overlap=seen.overlap,
        agreement=seen.agreement,
    )


def _from_the_whole(
    transform: NDArray[np.float64], box: Box, mirrored: bool
) -> NDArray[np.float64]:
    """Let a transform of a panel, shape (2, 3), take places in the collage that it is a part of."""
    left = 1 - box.right if mirrored else box.left  # the whole collage is flipped
    scales = np.array([1 / box.columns, 1 / box.rows])
    moved = transform[:, 2] - transform[:, :2] @ (scales * [left, box.top])
    return np.column_stack([transform[:, :2] * scales, moved])


def _sureness(one: Match) -> tuple[bool, bool, float, float]:
    return (
        one.verdict is not Told.EXACT,
        one.verdict is not Told.SIMILAR,
        -one.score,
        one.nearness,
    )


def _by_algorithm_2(looked: Looked) -> list[Judged]:
    """Note the exact ones; of the similar ones, let a reviewer see the nearest."""
    ordered = sorted(looked.found, key=lambda one: (one.distance, looked.ids[one.place]))
    exact = [one for one in ordered if one.exact]
    nearest = [one for one in ordered if not one.exact][:1]
    return [
        Judged(
            looked.ids[one.place],
            Verdict.EXACT if one.exact else Verdict.SIMILAR,
            one.exact,
            one.distance,
            one.decision_distance,
            None,
        )
        for one in (*exact, *nearest)
    ]
