"""Settings of whatever has images decoded."""

from pydantic import Field, FilePath

from srpitp_servicekit.settings import StoreSettings

__all__ = ["DecodingSettings"]


class DecodingSettings(StoreSettings):
    """The same for the service and for jobs: an image is to be described the same by both."""

    fingerprint_time_limit_seconds: float = Field(
        default=20, gt=0, description="for one image; its worker is killed then"
    )
    fingerprint_worker_memory_bytes: int = Field(
        default=2 * 2**30, ge=3 * 2**28, description="address space of a worker"
    )
    tagging: bool = Field(
        default=True, description="otherwise every image gets all tags: slower searches, no less"
    )
    tag_floor: float = Field(
        default=0.05, ge=0, le=1, description="an image gets every tag that is at least so sure"
    )
    tags_kept: int | None = Field(
        default=None, ge=1, description="the best so many tags of these; by default 1 in paper mode"
    )
    tag_head: FilePath | None = Field(
        default=None, description="tags of your own: see libs/tagging/README.md"
    )
    image_max_bytes: int = Field(default=50 * 2**20, ge=1, description="of an image file")
    image_max_pixels: int = Field(default=100_000_000, ge=1, description="width times height")
