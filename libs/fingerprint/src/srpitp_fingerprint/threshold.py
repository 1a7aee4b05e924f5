"""Thresholds that keep a promise: a rate of false alarms, with the interval it is known within.

The paper (section 4.1) fits a Gaussian to the distances of different pictures and cuts its tail.
The tail of real photos is heavier, and what a person can judge is not a rate per pair but how many
of a million crawled images raise a false alarm. Hence three ways to a threshold, and one budget.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

__all__ = ["Tail", "Threshold", "clopper_pearson"]

_PAPER_MEAN, _PAPER_VARIANCE, _PAPER_THRESHOLD = 0.6915, 0.0037, 0.4258
_TAIL_SHARE, _FEWEST = 0.005, 10
_BODY = (0.01, 0.02, 0.04, 0.08)  # shares of images, for budgets so lax
_MILLION = 1_000_000
_FEWER = 0.25  # power of the pictures, where they are fewer than in the fit: by 607 whole photos


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

    Above `start`, which `share` of the images exceed, the rest falls off exponentially. Below it
    is as it was seen.

    Attributes
    ----------
    start, scale : float
        Of the values; large ones are alarming.
    share : float
    images, protected, comparisons : int
        On which it was fitted: strangers, pictures that they were compared with, and comparisons
        of fingerprints for each of these. With fewer pictures the rate falls by less than their
        number.
    growth : float
        The power of the comparisons with which the rate grows: views and orientations of one
        picture are no independent pictures.
    body : sequence of pair of float
        Larger shares of the images, and the values that they exceed.
    """

    start: float
    scale: float
    share: float
    images: int
    protected: int
    comparisons: int = 1
    growth: float = 1.0
    body: Sequence[Sequence[float]] = ()

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
        count = len(values)
        above = min(max(_FEWEST, round(_TAIL_SHARE * count)), count - 1)
        start = float(values[-above - 1])
        more = [share for share in _BODY if above < round(share * count) < count]
        exceeded = [(share, float(values[-round(share * count) - 1])) for share in more]
        return cls(
            start,
            float(values[-above:].mean()) - start,
            above / count,
            count,
            protected,
            comparisons,
            body=tuple(one for one in exceeded if math.isfinite(one[1])),
        )

    def rate(self, limit: float, protected: int, comparisons: int | None = None) -> float:
        """Predict the share of strangers that exceed a limit.

        Parameters
        ----------
        limit : float
        protected, comparisons : int
            Against so many pictures, compared so often; by default as often as in the fit.
        """
        times = self._times(protected, comparisons)
        return -math.expm1(math.log1p(-self._here(limit)) * times)

    def limit(self, per_million: float, protected: int, comparisons: int | None = None) -> float:
        """Choose the limit for a budget: false alarms per million detected images.

        Parameters
        ----------
        per_million : float
        protected, comparisons : int
            As of `rate`.
        """
        log = math.log1p(-per_million / _MILLION) / self._times(protected, comparisons)
        here = -math.expm1(log)
        if here > self.share:
            shares, values = self._seen()
            return float(np.interp(math.log(here), np.log(shares), values))
        return self.start + self.scale * math.log(self.share / here)

    def interval(
        self, limit: float, protected: int, comparisons: int | None = None
    ) -> tuple[float, float]:
        """Enclose `rate` at 95 % confidence, by the images that the tail was fitted on."""
        beyond = max(0.0, (limit - self.start) / self.scale)
        events = self.images * max(self.share, self._here(limit))
        # Of a count, and beyond the start of the mean of as many exponentials.
        factor = math.exp(1.96 * math.sqrt((1 + beyond**2) / events))
        rate = self.rate(limit, protected, comparisons)
        return rate / factor, min(1.0, rate * factor)

    def _here(self, limit: float) -> float:
        """Give the share of the images of the fit that exceed a limit."""
        if limit >= self.start:
            return self.share * math.exp((self.start - limit) / self.scale)
        shares, values = self._seen()
        return math.exp(np.interp(-limit, -values, np.log(shares)))

    def _seen(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give ascending shares, and the values that they exceed."""
        shares, values = zip((self.share, self.start), *self.body, strict=True)
        return np.array(shares), np.array(values)

    def _times(self, protected: int, comparisons: int | None) -> float:
        often = self.comparisons if comparisons is None else comparisons
        # A small collection is of few kinds, as are the strangers that it meets.
        times = protected / self.protected
        times = max(times, math.pow(times, _FEWER))
        return times * math.pow(often / self.comparisons, self.growth)
