"""What a job is told by its environment: as the matcher is set up, so is the job."""

import os
from collections.abc import Mapping

from services.matcher.runs.settings import RunSettings

JOB_SETTINGS = (
    "mongodb_database",
    "matching_mode",
    "alarm_budget",
    "review_budget",
    "match_threshold",
    "match_points_limit",
    "match_tags_from",
    "log_level",
)
"""The matcher's settings that its jobs have too; none of them is a secret."""


def job_environment(settings: RunSettings) -> dict[str, str]:
    """Return the settings that a job shares, as environment variables; what is unset stays so."""
    values = {name: getattr(settings, name) for name in JOB_SETTINGS}
    return {
        f"SRPITP_{name.upper()}": str(value) for name, value in values.items() if value is not None
    }


def local_environment(
    settings: RunSettings, base: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the environment of a job on this machine."""
    return {
        **(os.environ if base is None else base),
        **job_environment(settings),
        "SRPITP_MONGODB_URI": settings.mongodb_uri,
        "SRPITP_DATA_DIR": str(settings.data_dir.absolute()),
        "SRPITP_SPARK_MASTER": settings.spark_master,
    }
