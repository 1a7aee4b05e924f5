from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from srpitp_fingerprint import Steps, Tail, Threshold, clopper_pearson

NORMAL = np.random.default_rng(3).normal(0.69, 0.06, 200_000)


def test_the_papers_threshold_is_six_in_a_million():
    paper = Threshold.paper()
    assert paper.distance == 0.4258
    assert 5e-6 < paper.rate < 7e-6


@pytest.mark.parametrize(("events", "trials", "low", "high"), [
    (0, 1000, 0, 0.003682), (2, 2000, 0.000121, 0.003608), (5, 10, 0.187086, 0.812914),
    (10, 10, 0.691503, 1),
])  # fmt: skip
def test_interval_is_that_of_the_tables(events, trials, low, high):
    assert clopper_pearson(events, trials) == pytest.approx((low, high), abs=2e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 400), st.data())
def test_interval_holds_the_share(trials, data):
    events = data.draw(st.integers(0, trials))
    low, high = clopper_pearson(events, trials)
    assert 0 <= low <= events / trials <= high <= 1


def test_nonsense_counts_are_refused():
    with pytest.raises(ValueError, match="trials"):
        clopper_pearson(3, 2)


def test_gaussian_and_empirical_agree_on_gaussian_data():
    gaussian, empirical = (f(NORMAL, 1e-3) for f in (Threshold.gaussian, Threshold.empirical))
    assert gaussian.distance == pytest.approx(0.69 - 3.09 * 0.06, abs=0.002)
    assert empirical.distance == pytest.approx(gaussian.distance, abs=0.005)
    for threshold in (gaussian, empirical):
        assert threshold.interval[0] <= 1e-3 <= threshold.interval[1] * 1.1
    shown = np.mean(empirical.distance >= NORMAL)
    assert shown == empirical.rate <= 1e-3


def test_rate_beyond_the_data_is_refused():
    with pytest.raises(ValueError, match="Tail"):
        Threshold.empirical(NORMAL, 1e-6)


def tail(seed=1):
    return Tail.fit(np.random.default_rng(seed).exponential(0.5, 20_000), protected=1000)


def test_tail_promises_what_happens():
    limit = tail().limit(1000, protected=1000)
    fresh = np.random.default_rng(2).exponential(0.5, 200_000)
    assert 0.0005 < (fresh > limit).mean() < 0.002


@pytest.mark.parametrize("per_million", [1000, 5000, 20_000, 60_000])
def test_tail_need_not_be_exponential(per_million):
    seen, fresh = np.random.default_rng(4).beta(2, 5, (2, 20_000))
    fitted = Tail.fit(seen, protected=1000)
    limit = fitted.limit(per_million, protected=1000)
    assert (fresh > limit).mean() == pytest.approx(per_million / 1e6, rel=0.5)
    low, high = fitted.interval(limit, protected=1000)
    assert low <= (fresh > limit).mean() <= high


def test_comparisons_that_depend_on_each_other_count_for_less():
    apart, alike = tail(), replace(tail(), growth=0.1)
    assert alike.limit(100, 1000, 50) < apart.limit(100, 1000, 50)
    assert alike.limit(100, 1000, 1) == apart.limit(100, 1000, 1)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.1, 5000), st.integers(1, 10_000_000))
def test_budget_and_rate_are_inverse(per_million, protected):
    fitted = tail()
    limit = fitted.limit(per_million, protected)
    rate = fitted.rate(limit, protected)
    assert rate <= per_million / 1e6 * 1.0001
    if limit > fitted.start:
        assert rate == pytest.approx(per_million / 1e6, rel=1e-3)
        low, high = fitted.interval(limit, protected)
        assert low <= rate <= high


def test_more_pictures_and_more_comparisons_ask_for_more():
    steps = Steps()
    strict, large, wide = (
        steps.within(10, 10_000), steps.within(1000, 1_000_000), steps.within(1000, 10_000, (10, 2))
    )  # fmt: skip
    usual = steps.within(1000, 10_000)
    for other in (strict, large):
        assert other.tight < usual.tight
        assert other.bar > usual.bar
    assert wide.tight < usual.tight
