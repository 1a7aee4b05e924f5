"""The in-process engine: which pairs lie within the threshold (paper, formulas 1 and 2).

Plain functions of values; the same pairs come out whichever side is new.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from srpitp_contracts.fingerprints import Profile
from srpitp_contracts.matching import Verdict
from srpitp_fingerprint import FINGERPRINT_BYTES, distance, nearest


@dataclass(frozen=True)
class Candidate:
    """What is compared of an image, on either side."""

    id: str
    digest: str
    textureless: bool
    fingerprints: tuple[bytes, ...]


@dataclass(frozen=True)
class Rule:
    """How a verdict is taken."""

    profile: Profile
    threshold: float
    candidates: int


@dataclass(frozen=True)
class Pair:
    """A detected image and a protected one that are not distinct."""

    detected_id: str
    protected_id: str
    verdict: Verdict
    distance: float
    decision_distance: float


class Bank:
    """Many candidates, laid out for comparing: the rows of all views, and whose each is."""

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        self.candidates = candidates
        # A textureless image is near to any other one: only its digest speaks for it.
        self.whose = [
            number
            for number, candidate in enumerate(candidates)
            if not candidate.textureless
            for _ in candidate.fingerprints
        ]
        packed = b"".join(
            fingerprint
            for candidate in candidates
            if not candidate.textureless
            for fingerprint in candidate.fingerprints
        )
        self.rows: NDArray[np.uint8] = np.frombuffer(packed, np.uint8).reshape(
            -1, FINGERPRINT_BYTES
        )
        self.by_digest: dict[str, list[int]] = {}
        for number, candidate in enumerate(candidates):
            self.by_digest.setdefault(candidate.digest, []).append(number)


def compare(detected: Bank, protected: Bank, rule: Rule) -> list[Pair]:
    """Compare every detected image with every protected one.

    Returns
    -------
    list of Pair
        The pairs that are exact or similar; for each detected image the nearest first, ties by
        the protected image's id.
    """
    best: dict[tuple[int, int], Pair] = {}
    for found in _by_fingerprint(detected, protected, rule):
        _keep_nearest(best, *found)
    for found in _by_digest(detected, protected):
        _keep_nearest(best, *found)
    return sorted(
        best.values(),
        key=lambda pair: (pair.detected_id, pair.decision_distance, pair.protected_id),
    )


_Found = tuple[tuple[int, int], Pair]


def _by_digest(detected: Bank, protected: Bank) -> list[_Found]:
    return [
        (
            (number, other),
            Pair(candidate.id, protected.candidates[other].id, Verdict.EXACT, 0.0, 0.0),
        )
        for number, candidate in enumerate(detected.candidates)
        for other in protected.by_digest.get(candidate.digest, ())
    ]


def _by_fingerprint(detected: Bank, protected: Bank, rule: Rule) -> list[_Found]:
    if not len(detected.rows) or not len(protected.rows):
        return []
    distances, indices = nearest(
        detected.rows,
        protected.rows,
        k=min(rule.candidates, len(protected.rows)),
        max_distance=rule.threshold,
        metric="plain" if rule.profile == "paper" else "decision",
    )
    found = []
    for row, place in zip(*np.nonzero(indices >= 0), strict=True):
        column = int(indices[row, place])
        plain = distance(detected.rows[row], protected.rows[column])
        number, other = detected.whose[row], protected.whose[column]
        pair = Pair(
            detected.candidates[number].id,
            protected.candidates[other].id,
            # T = 0 is said of the plain distance: the decision distance of an image to itself
            # is above zero, since agreements of weak symbols count a little.
            Verdict.EXACT if plain == 0 else Verdict.SIMILAR,
            plain,
            0.0 if plain == 0 else float(distances[row, place]),
        )
        found.append(((number, other), pair))
    return found


def _keep_nearest(best: dict[tuple[int, int], Pair], key: tuple[int, int], pair: Pair) -> None:
    known = best.get(key)
    if known is None or _nearness(pair) < _nearness(known):
        best[key] = pair


def _nearness(pair: Pair) -> tuple[float, float]:
    return pair.decision_distance, pair.distance
