"""Matches and reviews: the interface of the matcher service (paper, Algorithm 2)."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from srpitp_contracts.crawling import Sighting
from srpitp_contracts.model import Digest, Identifier, Model, UtcTime


class Verdict(StrEnum):
    """The paper's T, formula (2)."""

    EXACT = "exact"
    SIMILAR = "similar"
    DISTINCT = "distinct"


class MatchState(StrEnum):
    """Whether a match is noted."""

    IN_REVIEW = "in_review"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"


class ReviewDecision(StrEnum):
    """What a reviewer says of a match."""

    CONFIRM = "confirm"
    REJECT = "reject"


class DetectedEvent(Model):
    """The crawler has stored a detected image: compare it."""

    tag: str


class ProtectedEvent(Model):
    """The registration service has stored a protected image: compare it backwards."""

    tag: str


class MatchingOutcome(Model):
    """What a comparison came to."""

    compared: int = Field(description="how many images were compared with")
    matches: list[Identifier]


class Match(Model):
    """A detected image that lies within the threshold of a protected one."""

    id: Identifier
    owner_id: Identifier
    protected_id: Identifier
    protected_title: str
    protected_digest: Digest
    detected_id: Identifier
    detected_digest: Digest
    detected_tag: str = Field(description="the tag that the detected image is stored under")
    image_address: str
    tag: str = Field(description="the tag under which the pair met")
    verdict: Verdict
    distance: float = Field(ge=0, le=1, description="the paper's normalised Hamming distance")
    decision_distance: float = Field(ge=0, le=1, description="what the verdict was taken on")
    threshold: float = Field(ge=0, le=1, description="in force when the verdict was taken")
    state: MatchState
    decided_by: str | None = Field(description="rule:exact, or the reviewer's key id")
    decided_at: UtcTime | None
    note: str
    created_at: UtcTime


class MatchWithSightings(Match):
    """A match with when, where and by whom it was published."""

    sightings: list[Sighting]


class ReviewRequest(Model):
    """A reviewer's decision."""

    decision: ReviewDecision
    note: Annotated[str, Field(max_length=2000)] = ""
