import pytest
from hypothesis import given
from hypothesis import strategies as st

from srpitp_contracts.matching import MatchingMode
from srpitp_fingerprint import Steps
from srpitp_matching import Budgets

images = st.integers(1, 50_000_000)


@given(images, images)
def test_limits_tighten_as_more_is_protected(few, many):
    few, many = sorted((few, many))
    loose, tight = (Budgets().rules(count, 6 * count) for count in (few, many))
    for of in ("alarm", "review"):
        assert getattr(tight, of).tight <= getattr(loose, of).tight
        assert getattr(tight, of).bar >= getattr(loose, of).bar


@given(images, st.floats(0.001, 1000), st.floats(0.001, 100_000))
def test_the_alarm_is_never_looser_than_the_review(count, alarm, review):
    rules = Budgets(alarm=alarm, review=review).rules(count, 6 * count)
    assert rules.alarm.tight <= rules.review.tight
    assert rules.alarm.bar >= rules.review.bar
    assert (rules.steps.tight, rules.steps.bar) == (rules.alarm.tight, rules.review.bar)


def test_limits_are_those_of_the_library():
    rules = Budgets(alarm=2, review=700).rules(1000, 5500)
    assert rules.alarm == Steps().within(2, 1000, (6, 2))
    assert rules.review == Steps().within(700, 1000, (6, 2))
    assert rules.distance == rules.review.tight


def test_thresholds_say_what_is_in_force():
    told = Budgets().thresholds(100, 600)
    assert (told.preset, told.threshold, told.comparisons) == ("budget", None, 8 * 600)
    assert told.alarm.budget == 1
    assert told.review.budget == 1000
    assert "100 protected" in told.reason


@pytest.mark.parametrize(
    ("budgets", "preset", "threshold", "comparisons"),
    [
        (Budgets(threshold=0.39), "fixed", 0.39, 4800),
        (Budgets(threshold="paper"), "paper", 0.4258, 4800),
        (Budgets(mode=MatchingMode.PAPER, threshold=0.1), "paper", 0.4258, 600),
    ],
    ids=["fixed", "the paper's threshold", "paper mode"],
)
def test_a_fixed_distance_confirms_nothing_by_rule(budgets, preset, threshold, comparisons):
    told = budgets.thresholds(100, 600)
    assert (told.preset, told.threshold, told.comparisons) == (preset, threshold, comparisons)
    assert told.alarm is None
    assert told.review is None
    assert budgets.rules(100, 600).distance == threshold
