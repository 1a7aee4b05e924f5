"""Settings of the crawler."""

from datetime import timedelta

from pydantic import Field

from srpitp_contracts.matching import MatchingMode
from srpitp_servicekit.settings import ServiceSettings


class Settings(ServiceSettings):
    """Each field's environment name is ``SRPITP_`` and the field's name in capitals."""

    crawls_at_once: int = Field(default=2, ge=1, description="how many sites are visited at once")
    crawl_delay_seconds: float = Field(
        default=0.25, ge=0, description="the least time between two requests to one host"
    )
    crawl_concurrency: int = Field(default=4, ge=1, description="requests at once to one host")
    crawl_timeout_seconds: float = Field(
        default=14_400, gt=0, description="an attempt that takes longer is ended, and continued"
    )
    crawl_request_timeout_seconds: float = Field(
        default=30, gt=0, description="for one page or image, from the request to its last byte"
    )
    crawl_memory_mb: int = Field(
        default=3_072, ge=512, description="address space of a crawl's process (RLIMIT_AS)"
    )
    crawl_lease_seconds: float = Field(
        default=10, gt=0, description="a killed service's crawls are taken up after this long"
    )
    crawl_retry_seconds: float = Field(
        default=10, ge=0, description="how long a failed attempt waits for the next; 3 in all"
    )
    fingerprint_concurrency: int = Field(
        default=2, ge=1, description="images of one crawl that are fingerprinted at once"
    )
    fingerprint_patience_seconds: float = Field(
        default=15,
        ge=0,
        description="how long a crawl waits for a fingerprint service that is away",
    )
    retention_days: float = Field(
        default=90,
        ge=0,
        description="how long an image without a match is kept after it was last seen, for "
        "photos that are registered later; 0 keeps none, as in paper mode",
    )

    @property
    def retention(self) -> timedelta:
        """How long an image without a match is kept; in paper mode not at all."""
        kept = self.matching_mode is not MatchingMode.PAPER
        return timedelta(days=self.retention_days if kept else 0)
