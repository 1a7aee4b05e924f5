"""Settings of the registration service."""

from pydantic import Field

from srpitp_servicekit.settings import ServiceSettings


class Settings(ServiceSettings):
    """What the operator may choose."""

    image_max_bytes: int = Field(default=50 * 2**20, ge=1, description="of an image file")
    allowances_per_owner: int = Field(
        default=1000, ge=1, description="all of an owner's are looked at for each of its matches"
    )
    registrations_at_once: int = Field(
        default=8, ge=1, description="how many images are held in memory; the others wait on disk"
    )
