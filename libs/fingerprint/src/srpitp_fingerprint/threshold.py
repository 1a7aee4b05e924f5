"""Thresholds that keep a promise: a rate of false alarms, with the interval it is known within.

The paper (section 4.1) fits a Gaussian to the distances of different pictures and cuts its tail.
The tail of real photos is heavier, and what a person can judge is not a rate per pair but how many
of a million crawled images raise a false alarm. Hence three ways to a threshold, and one budget.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

__all__ = ["Tail", "Threshold", "clopper_pearson"]

_PAPER_MEAN, _PAPER_VARIANCE, _PAPER_THRESHOLD = 0.6915, 0.0037, 0.4258
_TAIL_SHARE = 0.01
_MILLION = 1_000_000


def clopper_pearson(events: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Enclose the probability of an event that was seen so many times.

    Parameters
    ----------
    events, trials : int
    confidence : float

    Returns
    -------
    low, high : float
        The exact interval of Clopper and Pearson (Biometrika 26, 1934).
    """
    if not 0 <= events <= trials or trials < 1:
        raise ValueError(f"{events} events in {trials} trials")
    rest = (1 - confidence) / 2

    def at_most(count: int, p: float) -> float:
        logs = [
            math.lgamma(trials + 1) - math.lgamma(k + 1) - math.lgamma(trials - k + 1)
            + k * math.log(p) + (trials - k) * math.log1p(-p)
            for k in range(count + 1)
        ]  # fmt: skip
        top = max(logs)
        return math.exp(top) * sum(math.exp(log - top) for log in logs)

    def solve(count: int, wanted: float) -> float:
        low, high = 1e-15, 1 - 1e-15
        for _ in range(100):
            middle = (low + high) / 2
            low, high = (middle, high) if at_most(count, middle) > wanted else (low, middle)
        return low

    return (
        solve(events - 1, 1 - rest) if events else 0.0,
        solve(events, rest) if events < trials else 1.0,
    )


@dataclass(frozen=True, slots=True)
class Threshold:
    """Largest distance of a similar picture, and what it promises.

    Attributes
    ----------
    distance : float
    rate : float
        False alarms per pair of unrelated pictures.
    interval : tuple of float
        Within which the rate lies at 95 % confidence, as far as its data tell.
    """

    distance: float
    rate: float
    interval: tuple[float, float]

    @classmethod
    def paper(cls) -> "Threshold":
        """Give the threshold that the paper prints, for `distance` of the paper profile.

        By the paper's own Gaussian it makes about six false alarms in a million pairs.
        """
        rate = NormalDist(_PAPER_MEAN, math.sqrt(_PAPER_VARIANCE)).cdf(_PAPER_THRESHOLD)
        return cls(_PAPER_THRESHOLD, rate, (rate, rate))

    @classmethod
    def gaussian(cls, distances: NDArray[np.float64], rate: float) -> "Threshold":
        """Fit a Gaussian to distances of unrelated pictures, as the paper does.

        Parameters
        ----------
        distances : float64 ndarray
        rate : float
            Wanted.

        Returns
        -------
        Threshold
            Its interval is what the distances themselves show at that threshold.
        """
        fitted = NormalDist(float(distances.mean()), float(distances.std()))
        limit = fitted.inv_cdf(rate)
        return cls(limit, rate, clopper_pearson(int((distances <= limit).sum()), distances.size))

    @classmethod
    def empirical(cls, distances: NDArray[np.float64], rate: float) -> "Threshold":
        """Take the largest distance below which no more than this share lies.

        Parameters
        ----------
        distances : float64 ndarray
            Of unrelated pictures.
        rate : float
            Wanted: at least one in the number of distances.
        """
        allowed = int(rate * distances.size)
        if not 0 < allowed < distances.size:
            raise ValueError(
                f"{distances.size} distances do not show a rate of {rate:g}; take a `Tail`"
            )
        ordered = np.sort(distances, axis=None)
        limit = float(np.nextafter(ordered[allowed], -1))
        events = int(np.searchsorted(ordered, limit, side="right"))
        return cls(limit, events / distances.size, clopper_pearson(events, distances.size))


@dataclass(frozen=True, slots=True)
class Tail:
    """How the best values of strangers fall off: each image against a whole protected set.

    Above `start`, which `share` of the images exceed, the rest falls off exponentially.

    Attributes
    ----------
    start, scale : float
        Of the values; large ones are alarming.
    share : float
    images, protected, comparisons : int
        On which it was fitted: strangers, pictures that they were compared with, and comparisons
        of fingerprints for each of these.
    """

    start: float
    scale: float
    share: float
    images: int
    protected: int
    comparisons: int = 1

    @classmethod
    def fit(cls, best: Sequence[float], protected: int, comparisons: int = 1) -> "Tail":
        """Fit to the most alarming value of each of many strangers.

        Parameters
        ----------
        best : sequence of float
        protected, comparisons : int
            With how many pictures each was compared, and how often with each.
        """
        values = np.sort(np.asarray(best, np.float64))
        first = len(values) - max(10, round(_TAIL_SHARE * len(values)))
        start = float(values[first - 1])
        excess = values[first:] - start
        return cls(
            start,
            float(excess.mean()),
            len(excess) / len(values),
            len(values),
            protected,
            comparisons,
        )

    def rate(self, limit: float, protected: int, comparisons: int | None = None) -> float:
        """Predict the share of strangers that exceed a limit.

        Parameters
        ----------
        limit : float
        protected, comparisons : int
            Against so many pictures, compared so often; by default as often as in the fit.
        """
        here = self.share * math.exp(min(0.0, (self.start - limit) / self.scale))
        return -math.expm1(math.log1p(-here) * self._times(protected, comparisons))

    def limit(self, per_million: float, protected: int, comparisons: int | None = None) -> float:
        """Choose the limit for a budget: false alarms per million detected images.

        Parameters
        ----------
        per_million : float
        protected, comparisons : int
            As of `rate`.
        """
        log = math.log1p(-per_million / _MILLION) / self._times(protected, comparisons)
        return self.start + self.scale * max(0.0, math.log(self.share / -math.expm1(log)))

    def interval(
        self, limit: float, protected: int, comparisons: int | None = None
    ) -> tuple[float, float]:
        """Enclose `rate` at 95 % confidence, by the images that the tail was fitted on."""
        spread = 1.96 / math.sqrt(self.share * self.images)  # a mean of exponentials
        low, high = (
            replace(self, scale=self.scale * factor).rate(limit, protected, comparisons)
            for factor in (max(0.1, 1 - spread), 1 + spread)
        )
        return low, high

    def _times(self, protected: int, comparisons: int | None) -> float:
        often = self.comparisons if comparisons is None else comparisons
        return protected * often / (self.protected * self.comparisons)
