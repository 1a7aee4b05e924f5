"""Matches and reviews: the interface of the matcher service (paper, Algorithm 2)."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from srpitp_contracts.crawling import Sighting
from srpitp_contracts.events import EventType
from srpitp_contracts.model import Digest, Identifier, Model, UtcTime
from srpitp_contracts.places import read_site


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
    SUPPRESSED = "suppressed"
    """an allowance or an exclusion covers it: it is shown, and nobody is alerted"""


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


class MatchingMode(StrEnum):
    """How images are matched."""

    STANDARD = "standard"
    """several views, all tags of an image, verified candidates, thresholds by budget"""
    PAPER = "paper"
    """the paper's Algorithm 2 to the letter"""


Row = tuple[float, float, float]


class Alignment(Model):
    """How a protected picture lies in a detected one."""

    transform: tuple[Row, Row] = Field(
        description="from places in the detected picture to places in the protected one, in "
        "fractions of their widths and heights"
    )
    mirrored: bool = Field(
        description="whether the detected picture is to be flipped from left to right before that"
    )
    inliers: int = Field(ge=0, description="points that agree on it")
    overlap: float = Field(description="share of the protected picture that is shown, 0..1")
    agreement: float = Field(description="correlation of the pixels where they overlap, -1..1")


class Verification(Model):
    """What the verdict of a similar pair was taken on."""

    protected_view: str = Field(description="the nearest view of the protected image")
    detected_view: str = Field(description="the view of the detected image that it is nearest to")
    orientation: str = Field(description="in which the detected image was compared")
    negative: bool = Field(description="whether it was compared as a photographic negative")
    sketch_distance: float = Field(ge=0, le=1, description="of the second, small fingerprints")
    nearness: float = Field(description="all distances weighed together: small is near")
    points: float = Field(ge=0, description="local features in common, before any was aligned")
    score: float | None = Field(
        description="log-odds that both show the same photo; null if the local features were "
        "not needed, or not there"
    )
    alignment: Alignment | None = Field(
        description="null if nothing could be aligned, or was not needed"
    )


class Decision(Model):
    """What was decided of a match at a moment."""

    state: MatchState
    by: str = Field(
        description="a rule, `allowance:<id>`, `exclusion:<id>`, or a person's `key:<id>`",
        examples=["rule:exact"],
    )
    at: UtcTime
    note: str = ""


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
    decision_distance: float = Field(
        ge=0, le=1, description="the distance in which agreements of weak symbols count a little"
    )
    threshold: float = Field(
        ge=0,
        le=1,
        description="largest distance of a similar image when the verdict was taken: by budget, "
        "largest `verification.nearness` of one whose local features were not needed for that",
    )
    verification: Verification | None = Field(
        default=None, description="null if the bytes are the same, and in paper mode"
    )
    state: MatchState
    decided_by: str | None = Field(
        description="rule:exact, rule:confident, `key:<id>` of the reviewer, `allowance:<id>` or "
        "`exclusion:<id>`; null while it is in review"
    )
    decided_at: UtcTime | None
    note: str
    history: list[Decision] = Field(default=[], description="every decision, the oldest first")
    alerted: EventType | None = Field(
        default=None, description="what its owner was told of it last; null if nothing"
    )
    withdrawals: int = Field(default=0, description="how often what was told was withdrawn")
    created_at: UtcTime


class MatchWithSightings(Match):
    """A match with when, where and by whom it was published."""

    sightings: list[Sighting]


class ReviewRequest(Model):
    """A reviewer's decision."""

    decision: ReviewDecision
    note: Annotated[str, Field(max_length=2000)] = ""


class UndoRequest(Model):
    """Why a decision is undone."""

    note: Annotated[str, Field(max_length=2000)] = ""


class ReviewItem(Model):
    """A detected image that waits for a reviewer, with every photo that it may show."""

    detected_id: Identifier
    detected_digest: Digest
    detected_tag: str
    image_address: str
    candidates: list[Match] = Field(description="of all owners, the nearest first")
    sightings: list[Sighting] = Field(description="the first hundred pages that show it")


class BulkReviewRequest(Model):
    """A reviewer's decision on all that is in review and meets every condition that is given."""

    decision: ReviewDecision
    note: Annotated[str, Field(max_length=2000)] = ""
    page_address: Annotated[str, Field(max_length=2000)] | None = Field(
        default=None, description="shown on this page"
    )
    site: Annotated[str, Field(max_length=2000)] | None = Field(
        default=None, description="shown on this host or its subdomains", examples=["example.org"]
    )
    uploader: Annotated[str, Field(max_length=2000)] | None = Field(
        default=None, description="a page states this uploader; with `site`, one of its pages"
    )
    owner_id: Identifier | None = Field(default=None, description="a photo of this owner's")
    protected_id: Identifier | None = None
    detected_id: Identifier | None = None
    nearer_than: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="by `decision_distance`"
    )
    found_before: UtcTime | None = Field(
        default=None, description="so that asking again does not take in what came since"
    )
    limit: Annotated[int, Field(ge=1, le=500)] = Field(
        default=100, description="matches at most; ask again while there are `more`"
    )

    @model_validator(mode="after")
    def _names_something(self) -> "BulkReviewRequest":
        conditions = set(type(self).model_fields) - {"decision", "note", "found_before", "limit"}
        if all(getattr(self, name) is None for name in conditions):
            raise ValueError(f"give at least one of {', '.join(sorted(conditions))}")
        if self.site is not None:
            read_site(self.site)
        return self


class BulkReviewOutcome(Model):
    """What came of a decision on many matches."""

    decided: int
    skipped: int = Field(description="not in review any more when it was their turn")
    more: bool = Field(description="whether others meet the conditions: send the same again")


class ExclusionRequest(Model):
    """An image that matches too much: name it by a match, by its id or by its bytes."""

    match_id: Identifier | None = None
    detected_id: Identifier | None = None
    digest: Digest | None = Field(
        default=None, description="if no such image is known, these very bytes are excluded only"
    )
    note: Annotated[str, Field(max_length=2000)] = ""

    @model_validator(mode="after")
    def _names_one(self) -> "ExclusionRequest":
        if len([one for one in (self.match_id, self.detected_id, self.digest) if one]) != 1:
            raise ValueError("name one image: by match_id, detected_id or digest")
        return self


class Exclusion(Model):
    """An image that matches too much; what is like it on a site alerts nobody."""

    id: Identifier
    digest: Digest
    detected_id: Identifier | None = Field(description="null if only its bytes are known")
    image_address: str | None
    note: str
    created_by: str
    created_at: UtcTime


class Limits(Model):
    """What a budget of false alarms comes to; an image that passes either one is let through."""

    budget: float = Field(description="false alarms per million detected images")
    tight: float = Field(description="largest nearness that needs no verification")
    bar: float = Field(description="score of the verification that is to be exceeded")


class Thresholds(Model):
    """Which thresholds are in force, and why."""

    mode: MatchingMode
    preset: str = Field(description="budget, paper or fixed", examples=["budget"])
    threshold: float | None = Field(
        description="largest distance of a similar image, if it is not by budget"
    )
    alarm: Limits | None = Field(
        description="what is confirmed by rule beside exact copies; null if nothing is"
    )
    review: Limits | None = Field(description="what else is similar; null if not by budget")
    protected_images: int = Field(description="in force now: the budgets are for so many")
    protected_views: int
    comparisons: int = Field(description="of fingerprints, for a detected image with all its views")
    presets: dict[str, float] = Field(description="named distances that may be set instead")
    reason: str = Field(description="the same in a sentence")


class Candidate(Model):
    """A protected image that an image was found to show."""

    protected_id: Identifier
    owner_id: Identifier
    title: str
    verdict: Verdict
    confident: bool = Field(description="whether a match would be confirmed by rule")
    distance: float
    decision_distance: float
    verification: Verification | None


class SearchResult(Model):
    """What one image shows of the protected ones; nothing of it is kept."""

    compared: int = Field(description="protected images that were compared with it")
    candidates: list[Candidate] = Field(description="the surest first")
