"""A match as it is found, by the matcher or by a job."""

from datetime import UTC, datetime

from srpitp_contracts.identifiers import match_id
from srpitp_contracts.matching import Match, MatchState, Verdict

AT = datetime(2026, 1, 1, tzinfo=UTC)


def found(protected_id: str = "photo", *, sure: bool = False, at: datetime = AT) -> Match:
    return Match(
        id=match_id(protected_id, "copy"),
        owner_id="owner",
        protected_id=protected_id,
        protected_title="",
        protected_digest="0" * 64,
        detected_id="copy",
        detected_digest="1" * 64,
        detected_tag="people",
        image_address="http://site.example/copy.jpg",
        tag="people",
        verdict=Verdict.EXACT if sure else Verdict.SIMILAR,
        distance=0,
        decision_distance=0,
        threshold=0.4,
        state=MatchState.CONFIRMED if sure else MatchState.IN_REVIEW,
        decided_by="rule:exact" if sure else None,
        decided_at=at if sure else None,
        note="",
        created_at=at,
    )
