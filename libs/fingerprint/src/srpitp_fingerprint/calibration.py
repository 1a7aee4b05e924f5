"""What was fitted to photos, by ``bench/fit.py``: weights of the scores, tails of strangers."""

import json
from dataclasses import dataclass
from importlib.resources import files

from .threshold import Tail

__all__ = ["CALIBRATION", "Calibration"]


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was fitted.

    Attributes
    ----------
    verification : tuple of float
        Of `Verification.score`: constant, log(1 + inliers), worst agreement, root of the share
        covered, closeness, distinctness.
    match : tuple of float
        Of `Match.score`: the same, then nearness.
    nearness : Tail
        Of the smallest nearness of strangers, negated.
    score : Tail
        Of the largest `Match.score` of strangers.
    """

    verification: tuple[float, ...]
    match: tuple[float, ...]
    nearness: Tail
    score: Tail


def _read() -> Calibration:
    fitted = json.loads((files(__package__) / "calibration.json").read_text())
    return Calibration(
        tuple(fitted["verification"]),
        tuple(fitted["match"]),
        Tail(**fitted["nearness"]),
        Tail(**fitted["score"]),
    )


CALIBRATION = _read()
