"""The states of a match and what leads from one to another: plain functions of values.

A match is found sure, and so confirmed by rule, or it waits in review; a reviewer confirms or
rejects it, and may undo that. An allowance or an exclusion suppresses what nobody was told of
for sure; when it holds no more, the match is again what it was before.
"""

from datetime import datetime

from srpitp_contracts.events import EventType
from srpitp_contracts.identifiers import alert_id
from srpitp_contracts.matching import Decision, Match, MatchState, ReviewDecision
from srpitp_contracts.registration import AlertPolicy

STATE_OF = {
    ReviewDecision.CONFIRM: MatchState.CONFIRMED,
    ReviewDecision.REJECT: MatchState.REJECTED,
}
SIMILAR_RULE = "rule:similar"
"""What puts a match into review."""


class WrongStateError(Exception):
    """The state of a match does not allow what is asked; the message says why."""


def reviewed(match: Match, decision: ReviewDecision, *, by: str, at: datetime, note: str) -> Match:
    """Return a match as a reviewer decided it; the same decision again changes nothing.

    Raises
    ------
    WrongStateError
        When it is not in review.
    """
    if match.state is STATE_OF[decision]:
        return match
    if match.state is not MatchState.IN_REVIEW:
        raise WrongStateError(_not_in_review(match))
    return _with(match, Decision(state=STATE_OF[decision], by=by, at=at, note=note))


def undone(match: Match, *, by: str, at: datetime, note: str) -> Match:
    """Return a match as it was before it was confirmed or rejected, by whomever: in review.

    Raises
    ------
    WrongStateError
        When nothing was decided, or what suppresses it is to be ended instead.
    """
    if match.state is MatchState.IN_REVIEW:
        raise WrongStateError(f"Match {match.id} is in review; there is nothing to undo.")
    if match.state is MatchState.SUPPRESSED:
        raise WrongStateError(
            f"Match {match.id} is suppressed by {match.decided_by}; delete that instead."
        )
    return _with(match, Decision(state=MatchState.IN_REVIEW, by=by, at=at, note=note))


def is_open_to_suppression(match: Match) -> bool:
    """Return whether an allowance or an exclusion still counts.

    A person's decision stands, and so does what its owner was told for sure.
    """
    if match.state is MatchState.CONFIRMED:
        return match.alerted is None and not match.withdrawals and _is_by_rule(match)
    return match.state in {MatchState.IN_REVIEW, MatchState.SUPPRESSED}


def judged(match: Match, reason: str | None, *, at: datetime) -> Match:
    """Return a match with what covers it, `allowance:<id>` or `exclusion:<id>`, or nothing.

    Doing it again with the same reason changes nothing.
    """
    if not is_open_to_suppression(match):
        return match
    if reason is not None:
        if match.decided_by == reason:
            return match
        return _with(match, Decision(state=MatchState.SUPPRESSED, by=reason, at=at))
    if match.state is not MatchState.SUPPRESSED:
        return match
    before = _before_suppression(match)
    return _with(
        match,
        before.model_copy(update={"at": at, "note": f"{match.decided_by} holds no more"}),
    )


def due_event(match: Match, policy: AlertPolicy) -> EventType | None:
    """Return what the owner of a match is to be told now, after what it was told last."""
    told = match.alerted
    match match.state:
        case MatchState.CONFIRMED:
            return None if told is EventType.MATCH_CONFIRMED else EventType.MATCH_CONFIRMED
        case MatchState.IN_REVIEW:
            if told is EventType.MATCH_CONFIRMED:
                return EventType.MATCH_WITHDRAWN
            is_news = told is None and policy is AlertPolicy.EVERYTHING
            return EventType.MATCH_IN_REVIEW if is_news else None
        case MatchState.REJECTED:
            holds = told in {EventType.MATCH_CONFIRMED, EventType.MATCH_IN_REVIEW}
            return EventType.MATCH_WITHDRAWN if holds else None
        case _:  # suppressed: it is its owner's own word, or a reviewer's on what says nothing
            return None


def event_id(match: Match, event: EventType) -> str:
    """Return the id of an alert, by which it is told once.

    A match that is confirmed again after a withdrawal was told is told again, once.
    """
    told_before = f":{match.withdrawals}" if match.withdrawals else ""
    return alert_id(match.id, f"{event}{told_before}")


def told_of(match: Match, event: EventType) -> Match:
    """Return a match whose owner is told of an event."""
    withdrawn = event is EventType.MATCH_WITHDRAWN
    return match.model_copy(update={"alerted": event, "withdrawals": match.withdrawals + withdrawn})


def with_first_decision(match: Match) -> Match:
    """Return a match whose history begins with the rule that confirmed it, if one did."""
    if match.history or match.decided_by is None:
        return match
    at = match.decided_at or match.created_at
    first = Decision(state=match.state, by=match.decided_by, at=at, note=match.note)
    return match.model_copy(update={"history": [first]})


def _with(match: Match, decision: Decision) -> Match:
    match = with_first_decision(match)
    in_review = decision.state is MatchState.IN_REVIEW
    return match.model_copy(
        update={
            "state": decision.state,
            "decided_by": None if in_review else decision.by,
            "decided_at": None if in_review else decision.at,
            "note": "" if in_review else decision.note,
            "history": [*match.history, decision],
        }
    )


def _before_suppression(match: Match) -> Decision:
    for decision in reversed(match.history):
        if decision.state is not MatchState.SUPPRESSED:
            return decision
    return Decision(state=MatchState.IN_REVIEW, by=SIMILAR_RULE, at=match.created_at)


def _is_by_rule(match: Match) -> bool:
    return match.decided_by is not None and match.decided_by.startswith("rule:")


def _not_in_review(match: Match) -> str:
    return (
        f"Match {match.id} is {match.state} already, by {match.decided_by}; it is not in review "
        "any more."
    )
