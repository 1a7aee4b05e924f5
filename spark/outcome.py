"""What tasks report to their job: counts, and the images that could not be worked on."""

from collections.abc import Iterable

from pydantic import Field

from srpitp_contracts.model import Model
from srpitp_contracts.runs import MAX_ERROR, MAX_FAULTS, ImageFault, RunCounts

__all__ = ["Outcome", "fault", "gathered"]


class Outcome(Model):
    """What became of some images."""

    counts: RunCounts = Field(default_factory=RunCounts)
    faults: list[ImageFault] = Field(default=[])


def gathered(outcomes: Iterable[Outcome]) -> Outcome:
    """Add up outcomes; of the faults as many are kept as a run names."""
    counts = dict.fromkeys(RunCounts.model_fields, 0)
    faults: list[ImageFault] = []
    for outcome in outcomes:
        for name, count in outcome.counts.model_dump().items():
            counts[name] += count
        faults += outcome.faults[: MAX_FAULTS - len(faults)]
    return Outcome(counts=RunCounts(**counts), faults=faults)


def fault(image_id: str, error: Exception) -> ImageFault:
    """Say why an image could not be worked on."""
    return ImageFault(image_id=image_id, error=f"{type(error).__name__}: {error}"[:MAX_ERROR])
