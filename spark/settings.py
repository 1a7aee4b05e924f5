"""Settings of the Spark jobs."""

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field

from srpitp_contracts.matching import MatchingMode
from srpitp_matching import Budgets
from srpitp_servicekit.decoding.settings import DecodingSettings


class Settings(DecodingSettings):
    """Each field's environment name is ``SRPITP_`` and the field's name in capitals.

    What a service has a setting of the same name for is to be the same for both.
    """

    mongodb_timeout_seconds: float = Field(
        default=30, description="how long a task waits for a lost MongoDB before it is tried again"
    )
    spark_master: str | None = Field(
        default=None,
        description="where Spark runs, if spark-submit does not say so: local[*] is this machine",
    )
    spark_conf: dict[str, str] = Field(default={}, description="more of Spark's own, as JSON")
    spark_dir: Path | None = Field(
        default=None,
        description="where executors keep what they build; in the data directory, if none",
    )
    spark_task_images: int = Field(
        default=2_000, ge=64, description="images of a task: one should take some seconds or more"
    )
    spark_batch_images: int = Field(
        default=256, ge=1, description="images that are looked for together"
    )
    spark_shard_images: int = Field(
        default=250_000, ge=1, description="protected images of a file that is built at once"
    )
    spark_heartbeat_seconds: float = Field(
        default=5, gt=0, description="how often a job says that it lives, and how far it is"
    )

    alarm_budget: float = Field(default=1, gt=0, le=1_000_000)
    review_budget: float = Field(default=1000, gt=0, le=1_000_000)
    match_threshold: float | Literal["paper", "robust"] | None = None
    match_points_limit: int = Field(default=20_000, ge=0)
    match_tags_from: int = Field(default=200_000, ge=0)
    retention_days: float = Field(default=90, ge=0)

    @property
    def budgets(self) -> Budgets:
        """How verdicts are taken."""
        return Budgets(
            self.matching_mode, self.alarm_budget, self.review_budget, self.match_threshold
        )

    @property
    def retention(self) -> timedelta:
        """How long an image without a match is kept; in paper mode not at all."""
        kept = self.matching_mode is not MatchingMode.PAPER
        return timedelta(days=self.retention_days if kept else 0)

    @property
    def own_dir(self) -> Path:
        """Where executors keep what they build."""
        return self.spark_dir or self.data_dir / "spark"
