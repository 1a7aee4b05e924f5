"""A photo that is registered late: which of the images that were detected before may show it.

The roles are exchanged: the protected photo is looked for among detected ones, a batch at a time,
by their fingerprints. The few that come near are then judged as if they were detected now.
"""

from collections.abc import Sequence
from dataclasses import replace

from srpitp_contracts.matching import MatchingMode
from srpitp_fingerprint import Description, Gallery, candidates
from srpitp_matching.budgets import Rules

__all__ = ["worth_judging"]

_OF_A_BATCH = 24


def worth_judging(
    protected: Description, detected: Sequence[Description], rules: Rules
) -> list[int]:
    """Choose the detected images that are to be judged one by one with `judge_pair`.

    Parameters
    ----------
    protected : Description
        Of the photo that was registered.
    detected : sequence of Description
        Some thousand, as `scanned` gives them.
    rules : Rules

    Returns
    -------
    list of int
        Places in `detected`, ascending: what has the same bytes or fingerprint, and the nearest.
        None in the paper's mode, which keeps nothing that could be found later.
    """
    if rules.mode is MatchingMode.PAPER:
        return []
    gallery = Gallery(detected, points=False)
    steps = replace(
        rules.steps, nearest=max(rules.steps.nearest, _OF_A_BATCH), index=False, panels=False
    )
    found = candidates(protected, gallery, steps)
    near = sorted(found, key=lambda one: (not one.exact, one.nearness, one.place))
    exact = sum(one.exact for one in found)
    return sorted(one.place for one in near[: max(exact, steps.nearest)])
