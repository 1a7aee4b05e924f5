"""From a budget of false alarms to what is similar, and what needs no reviewer.

A person can judge how many of a million crawled images raise a false alarm. What distance, and what
score of the verification, that comes to depends on how many images are protected, so it follows
their number as it grows.
"""

import functools
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from srpitp_contracts.matching import Limits, MatchingMode, Thresholds
from srpitp_fingerprint import THRESHOLDS, Profile, Steps

__all__ = ["PRESETS", "Budgets", "Rules"]

PRESETS = MappingProxyType({"paper": THRESHOLDS["paper"], "robust": THRESHOLDS["robust"]})
"""Named distances that may be set instead of budgets."""

_DETECTED_VIEWS = 2
_MOST_BY_DISTANCE = 100  # protected images of which a fixed distance may make matches
_ALONE = Steps(
    sketches=False, index=False, verification=False, nearest=_MOST_BY_DISTANCE, sharing=0
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What is in force for a number of protected images.

    Attributes
    ----------
    mode : MatchingMode
    steps : Steps
        Which the cascade takes: what passes the alarm's limits is not verified any more.
    alarm, review : Steps or None
        Whose `tight` and `bar` are the limits; None if a fixed distance decides alone.
    threshold : float or None
        The fixed distance.
    """

    mode: MatchingMode
    steps: Steps
    alarm: Steps | None = None
    review: Steps | None = None
    threshold: float | None = None

    @property
    def distance(self) -> float:
        """The largest distance of a similar image, as a match shows it."""
        if self.threshold is not None:
            return self.threshold
        return min(1.0, max(0.0, self.review.tight)) if self.review else 0.0


@dataclass(frozen=True, slots=True)
class Budgets:
    """How verdicts are taken: the operator's choice.

    Attributes
    ----------
    mode : MatchingMode
        In paper mode the paper's threshold is in force, whatever else is set.
    alarm, review : float
        False alarms per million detected images: that are told of without a reviewer, and that
        reviewers are asked about.
    threshold : float, preset, or None
        A fixed distance, in place of the budgets.
    """

    mode: MatchingMode = MatchingMode.STANDARD
    alarm: float = 1.0
    review: float = 1000.0
    threshold: float | Literal["paper", "robust"] | None = None

    @property
    def profile(self) -> Profile:
        """Whose fingerprints are compared."""
        return "paper" if self.mode is MatchingMode.PAPER else "robust"

    def rules(self, images: int, views: int) -> Rules:
        """Derive what is in force.

        Parameters
        ----------
        images, views : int
            How many are protected now.
        """
        return _rules(self, max(1, images), max(1, views))

    def thresholds(self, images: int, views: int) -> Thresholds:
        """Say what is in force, and why."""
        rules = self.rules(images, views)
        return Thresholds(
            mode=self.mode,
            preset=self._preset,
            threshold=rules.threshold,
            alarm=_limits(self.alarm, rules.alarm),
            review=_limits(self.review, rules.review),
            protected_images=images,
            protected_views=views,
            comparisons=self._comparisons(rules.steps) * views,
            presets=dict(PRESETS),
            reason=self._reason(images),
        )

    @property
    def _preset(self) -> str:
        if self.mode is MatchingMode.PAPER or self.threshold == "paper":
            return "paper"
        return "budget" if self.threshold is None else "fixed"

    @property
    def fixed(self) -> float | None:
        """The distance that decides alone, if one does."""
        if self.mode is MatchingMode.PAPER:
            return PRESETS["paper"]
        return PRESETS[self.threshold] if isinstance(self.threshold, str) else self.threshold

    def _comparisons(self, steps: Steps) -> int:
        if self.mode is MatchingMode.PAPER:
            return 1
        return _DETECTED_VIEWS * len(steps.orientations) * (2 if steps.negatives else 1)

    def _reason(self, images: int) -> str:
        if self.mode is MatchingMode.PAPER:
            return "Paper mode: the threshold that the paper prints, on its plain distance."
        if self.fixed is not None:
            return (
                "A fixed threshold is set: what is nearer by its fingerprint goes to a reviewer, "
                "and only exact copies are confirmed by rule."
            )
        return (
            f"Of a million images that show none of the {images} protected ones, {self.alarm:g} "
            f"may raise an alarm, and {self.review:g} may come before a reviewer."
        )


@functools.lru_cache(maxsize=64)
def _rules(budgets: Budgets, images: int, views: int) -> Rules:
    fixed = budgets.fixed
    if fixed is not None:
        return Rules(budgets.mode, _ALONE, threshold=fixed)
    each = -(-views // images), _DETECTED_VIEWS
    alarm = Steps().within(budgets.alarm, images, each)
    review = Steps().within(max(budgets.alarm, budgets.review), images, each)
    # What lies between both limits is verified: so it may still pass the alarm's bar, and the
    # reviewer sees how it is aligned.
    return Rules(budgets.mode, replace(review, tight=alarm.tight), alarm, review)


def _limits(budget: float, steps: Steps | None) -> Limits | None:
    return Limits(budget=budget, tight=steps.tight, bar=steps.bar) if steps else None
