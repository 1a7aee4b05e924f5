"""Settings of the fingerprint service."""

import os

from pydantic import Field

from srpitp_servicekit.decoding.settings import DecodingSettings
from srpitp_servicekit.settings import ServiceSettings


class Settings(ServiceSettings, DecodingSettings):
    """What the operator may choose."""

    fingerprint_workers: int = Field(
        default_factory=lambda: len(os.sched_getaffinity(0)),
        ge=1,
        description="processes that decode, each one image at a time",
    )
    fingerprint_queue_limit: int = Field(
        default=64, ge=0, description="images that may wait for a worker; the next one gets 503"
    )
