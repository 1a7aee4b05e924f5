"""How far two fingerprints are apart, and what follows: paper, formulas (1) and (2)."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from .elements import Profile
from .symbols import A_SYMBOLS, SYMBOLS, Fingerprint, unpack

__all__ = ["THRESHOLDS", "Verdict", "decision_distance", "distance", "verdict"]

THRESHOLDS: Mapping[Profile, float] = MappingProxyType({"paper": 0.4258, "robust": 0.430})
"""Largest distance at which two pictures are called similar, for each profile.

``paper`` is the value that the paper prints, for `distance`: by the paper's own distribution about
six false alarms in a million pairs. ``robust`` is for `decision_distance`: one in a million pairs,
measured over 12 million pairs of unrelated photos, one view of each compared once. Searching large
collections, or several views, asks for a smaller one.
"""


class Verdict(StrEnum):
    """What a distance means: the paper's T = 0, 1 and 2."""

    EXACT = "exact"
    SIMILAR = "similar"
    DISTINCT = "distinct"


def distance(a: Fingerprint, b: Fingerprint) -> float:
    """Compute the normalised Hamming distance: paper, formula (1).

    Parameters
    ----------
    a, b : bytes or uint8 ndarray, shape (180,)

    Returns
    -------
    float
        Differing symbols / 720, in 0..1. A metric; unrelated photos lie near 0.69.
    """
    return int((unpack(a) != unpack(b)).sum()) / SYMBOLS


def decision_distance(a: Fingerprint, b: Fingerprint) -> float:
    """Compute the distance on which verdicts of the robust profile are taken.

    Two D symbols that agree on a difference of less than 4 grey levels say little. Each such
    agreement counts as a quarter of a mismatch, which raises recall on small geometric changes
    by 10 to 80 points at the same rate of false alarms.

    Parameters
    ----------
    a, b : bytes or uint8 ndarray, shape (180,)

    Returns
    -------
    float
        In 0..1 and never below `distance`. Symmetric; not 0 between equal fingerprints, so take
        `distance` to tell `Verdict.EXACT`.
    """
    x, y = unpack(a), unpack(b)
    weak_agreements = ((x == y) & ((x == 1) | (x == 2)))[A_SYMBOLS:]
    return (4 * int((x != y).sum()) + int(weak_agreements.sum())) / (4 * SYMBOLS)


def verdict(distance: float, threshold: float) -> Verdict:
    """Judge a distance: paper, formula (2).

    Parameters
    ----------
    distance : float
        As `distance` or `decision_distance` gives it.
    threshold : float
        Largest distance of a similar picture; see `THRESHOLDS`.

    Returns
    -------
    Verdict
        ``exact`` at 0, ``similar`` up to and including the threshold, else ``distinct``.
    """
    if distance == 0:
        return Verdict.EXACT
    return Verdict.SIMILAR if distance <= threshold else Verdict.DISTINCT
