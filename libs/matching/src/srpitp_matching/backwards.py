"""A photo that is registered late: which of the images that were detected before may show it.

The roles are exchanged: the protected photo is looked for among detected ones, a batch at a time,
by their fingerprints. Those that come near are then judged as if they were detected now: all that
are near enough to be copies, and the nearest of the others, whose local features may show a part.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

from srpitp_contracts.matching import MatchingMode
from srpitp_fingerprint import Candidate, Description, Gallery, candidates
from srpitp_matching.budgets import Rules

__all__ = ["Worth", "the_worthiest", "worth_judging"]

_OF_A_BATCH = 24
_AT_FIRST = 100  # that are compared in full; more where so many are near
_OF_ALL = 100
"""Detected images that are judged although their fingerprints say that they are others."""

T = TypeVar("T")


class Worth(NamedTuple):
    """How much a detected image is worth to be judged."""

    place: int
    """In its batch."""
    is_near: bool
    """Whether its fingerprint alone makes it similar."""
    nearness: float


def worth_judging(
    protected: Description, detected: Sequence[Description], rules: Rules
) -> list[Worth]:
    """Choose detected images that may show a photo, of a batch.

    Parameters
    ----------
    protected : Description
        Of the photo that was registered.
    detected : sequence of Description
        Some thousand, as `scanned` gives them.
    rules : Rules

    Returns
    -------
    list of Worth
        None in the paper's mode, which keeps nothing that could be found later.
    """
    if rules.mode is MatchingMode.PAPER:
        return []
    gallery = Gallery(detected, points=False)
    worth = _worth(protected, gallery, rules, _AT_FIRST)
    if len(detected) > _AT_FIRST <= sum(one.is_near for one in worth):
        worth = _worth(
            protected, gallery, rules, len(detected)
        )  # all that are near are to be found
    near = sum(one.is_near for one in worth)
    return worth[: max(near, _OF_A_BATCH)]


def _worth(protected: Description, gallery: Gallery, rules: Rules, most: int) -> list[Worth]:
    steps = replace(rules.steps, nearest=most, index=False, panels=False)
    if most > steps.shortlist:
        steps = replace(steps, shortlist=most)
    found = (
        Worth(one.place, _is_near(one, rules), one.nearness)
        for one in candidates(protected, gallery, steps)
    )
    return sorted(found, key=_by_worth)


def _by_worth(one: Worth) -> tuple[bool, float, int]:
    return not one.is_near, one.nearness, one.place


def the_worthiest(gathered: Iterable[tuple[Worth, T]]) -> list[tuple[Worth, T]]:
    """Choose of what was gathered in all batches up to now: what is near, and the nearest others.

    Each of them is to be judged with `judge_pair`, once no more batches come.
    """
    ordered = sorted(gathered, key=lambda one: _by_worth(one[0]))
    near = sum(worth.is_near for worth, _ in ordered)
    return ordered[: near + _OF_ALL]


def _is_near(one: Candidate, rules: Rules) -> bool:
    if one.exact:
        return True
    if rules.review is None:
        return one.decision_distance <= rules.distance and not one.plain
    return one.nearness <= rules.review.tight and not one.plain
