"""Settings of the matcher."""

from pydantic import Field

from services.matcher.run_settings import RunSettings


class Settings(RunSettings):
    """Each field's environment name is ``SRPITP_`` and the field's name in capitals."""

    match_threshold: float | None = Field(
        default=None, ge=0, le=1, description="Th of formula (2); the profile's own, if none"
    )
    match_candidates: int = Field(
        default=100, ge=1, description="how many protected views are kept for each detected view"
    )
