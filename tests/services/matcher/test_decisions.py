"""The states of a match, over every way through them."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matcher import decisions
from services.matcher.decisions import WrongStateError
from srpitp_contracts.events import EventType
from srpitp_contracts.matching import Match, MatchState, ReviewDecision
from srpitp_contracts.registration import AlertPolicy
from tests.services.matcher.matches import AT, found

CONFIRM, REJECT = ReviewDecision.CONFIRM, ReviewDecision.REJECT


def review(match: Match, decision: ReviewDecision) -> Match:
    return decisions.reviewed(match, decision, by="key:one", at=AT, note="seen")


def undo(match: Match) -> Match:
    return decisions.undone(match, by="key:two", at=AT, note="a slip")


def judge(match: Match, reason: str | None) -> Match:
    return decisions.judged(match, reason, at=AT)


class Owner:
    """Hears what is told of one match, as the service tells it."""

    def __init__(self, policy: AlertPolicy) -> None:
        self.policy = policy
        self.heard: list[tuple[EventType, str]] = []

    def told(self, match: Match) -> Match:
        event = decisions.due_event(match, self.policy)
        if event is None:
            return match
        self.heard.append((event, decisions.event_id(match, event)))
        return decisions.told_of(match, event)

    @property
    def events(self) -> list[EventType]:
        return [event for event, _ in self.heard]


STEPS: dict[str, Callable[[Match], Match]] = {
    "confirm": lambda match: review(match, CONFIRM),
    "reject": lambda match: review(match, REJECT),
    "undo": undo,
    "allow": lambda match: judge(match, "allowance:a"),
    "exclude": lambda match: judge(match, "exclusion:e"),
    "lift": lambda match: judge(match, None),
}


@given(
    st.booleans(), st.sampled_from(AlertPolicy), st.lists(st.sampled_from(list(STEPS)), max_size=12)
)
def test_whatever_happens(sure: bool, policy: AlertPolicy, steps: list[str]) -> None:
    owner = Owner(policy)
    match = owner.told(decisions.with_first_decision(found(sure=sure)))
    for step in steps:
        before = match
        try:
            after = STEPS[step](match)
        except WrongStateError:
            continue
        if step in {"confirm", "reject", "allow", "exclude", "lift"}:
            assert STEPS[step](after) == after, "what is done twice is done once"
        assert after.history[: len(before.history)] == before.history, "nothing is forgotten"
        match = owner.told(after)
        assert owner.told(match) == match, "nothing is told twice"
        if after != before:
            assert after.history[-1].state is after.state
        if match.state is MatchState.CONFIRMED:
            assert match.alerted is EventType.MATCH_CONFIRMED
        else:
            assert match.alerted is not EventType.MATCH_CONFIRMED
        decided = match.state is not MatchState.IN_REVIEW
        assert (match.decided_by is not None) == (match.decided_at is not None) == decided
    ids = [id_ for _, id_ in owner.heard]
    assert len(ids) == len(set(ids)), "every alert has an id of its own"
    for earlier, later in zip(owner.events, owner.events[1:], strict=False):
        assert earlier is not later, "a withdrawal lies between two confirmations"


@given(st.booleans(), st.lists(st.sampled_from(["allow", "exclude"]), min_size=1, max_size=4))
def test_what_was_suppressed_is_as_before_when_nothing_covers_it(
    sure: bool, steps: list[str]
) -> None:
    match = decisions.with_first_decision(found(sure=sure))
    suppressed = match
    for step in steps:
        suppressed = STEPS[step](suppressed)
    assert suppressed.state is MatchState.SUPPRESSED
    lifted = judge(suppressed, None)
    same = {"state", "decided_by", "note"}
    if sure:
        assert lifted.note == f"{suppressed.decided_by} holds no more"
        same -= {"note"}
    assert lifted.model_dump(include=same) == match.model_dump(include=same)


def test_who_decided_when_and_why() -> None:
    undone = undo(review(found(), CONFIRM))
    assert [(one.state, one.by, one.note) for one in undone.history] == [
        (MatchState.CONFIRMED, "key:one", "seen"),
        (MatchState.IN_REVIEW, "key:two", "a slip"),
    ]


def test_what_a_rule_confirmed_can_be_undone_and_rejected() -> None:
    owner = Owner(AlertPolicy.CONFIRMED)
    match = owner.told(found(sure=True))
    match = owner.told(undo(match))
    match = owner.told(review(match, REJECT))
    assert [one.by for one in match.history] == ["rule:exact", "key:two", "key:one"]
    assert owner.events == [EventType.MATCH_CONFIRMED, EventType.MATCH_WITHDRAWN]


def test_whoever_wants_to_hear_everything_hears_how_it_ended() -> None:
    owner = Owner(AlertPolicy.EVERYTHING)
    match = owner.told(found())
    owner.told(review(match, REJECT))
    assert owner.events == [EventType.MATCH_IN_REVIEW, EventType.MATCH_WITHDRAWN]
    other = Owner(AlertPolicy.EVERYTHING)
    other.told(review(other.told(found()), CONFIRM))
    assert other.events == [EventType.MATCH_IN_REVIEW, EventType.MATCH_CONFIRMED]


def test_a_sure_match_that_is_covered_when_it_is_found_is_not_told_until_that_ends() -> None:
    owner = Owner(AlertPolicy.EVERYTHING)
    match = owner.told(judge(found(sure=True), "allowance:a"))
    assert (match.state, owner.events) == (MatchState.SUPPRESSED, [])
    owner.told(judge(match, None))
    assert owner.events == [EventType.MATCH_CONFIRMED]


@pytest.mark.parametrize("reason", ["allowance:a", "exclusion:e"])
def test_what_was_told_for_sure_and_what_a_person_decided_stays(reason: str) -> None:
    told = Owner(AlertPolicy.CONFIRMED).told(found(sure=True))
    assert judge(told, reason) == told
    for decision in ReviewDecision:
        assert judge(review(found(), decision), reason).state is not MatchState.SUPPRESSED


def test_what_cannot_be() -> None:
    with pytest.raises(WrongStateError, match="nothing to undo"):
        undo(found())
    suppressed = judge(found(), "allowance:a")
    with pytest.raises(WrongStateError, match="suppressed by allowance:a"):
        undo(suppressed)
    with pytest.raises(WrongStateError, match="suppressed already"):
        review(suppressed, CONFIRM)
    with pytest.raises(WrongStateError, match="confirmed already, by key:one"):
        review(review(found(), CONFIRM), REJECT)
