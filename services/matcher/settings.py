"""Settings of the matcher."""

from typing import Literal

from pydantic import Field

from services.matcher.runs.settings import RunSettings
from srpitp_matching import Budgets


class Settings(RunSettings):
    """Each field's environment name is ``SRPITP_`` and the field's name in capitals."""

    alarm_budget: float = Field(
        default=1,
        gt=0,
        le=1_000_000,
        description="false alarms per million detected images that are confirmed by rule and told "
        "of at once",
    )
    review_budget: float = Field(
        default=1000,
        gt=0,
        le=1_000_000,
        description="detected images per million that come before a reviewer for nothing",
    )
    match_threshold: float | Literal["paper", "robust"] | None = Field(
        default=None,
        description="a fixed distance in place of the budgets (Th of formula (2)), or a preset: "
        "paper is 0.4258; then only exact copies are confirmed by rule",
    )
    match_points_limit: int = Field(
        default=20_000,
        ge=0,
        description="candidates are found by their local features too while at most so many "
        "images are protected: it takes 25 KB an image",
    )
    match_tags_from: int = Field(
        default=200_000,
        ge=0,
        description="only images with a tag in common are compared once more than so many are "
        "protected: to look through fewer takes less time than tags save; 0 is always",
    )
    match_seconds: float = Field(
        default=10,
        gt=0,
        description="for one image; one that takes longer is matched again a little later, with "
        "what was read by then at hand",
    )
    features_cache_bytes: int = Field(
        default=64 * 2**20, ge=0, description="descriptions of protected images that are kept"
    )
    index_poll_seconds: float = Field(
        default=1, gt=0, description="how often changes are looked for, when nothing tells of them"
    )
    index_stale_seconds: float = Field(
        default=15, gt=0, description="without a look at the store the service is not ready"
    )
    exclusions_limit: int = Field(
        default=1000, ge=1, description="images that match too much: each match is held to them"
    )
    image_max_bytes: int = Field(
        default=50 * 2**20, ge=1, description="of an image that is searched for"
    )

    @property
    def budgets(self) -> Budgets:
        """How verdicts are taken."""
        return Budgets(
            self.matching_mode, self.alarm_budget, self.review_budget, self.match_threshold
        )
