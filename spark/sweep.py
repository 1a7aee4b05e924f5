"""What every task of a match run knows."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from spark.ranges import Range
from spark.settings import Settings
from spark.store import Address

__all__ = ["Sweep"]


@dataclass(frozen=True, eq=False)
class Sweep:
    """A match run, as its tasks see it.

    Attributes
    ----------
    run_id, attempt
    settings : Settings
    moment : datetime
        Protection holds, or not, as of then.
    shards : tuple of ranges
        All protected images, in parts that are built and mapped by themselves.
    has_points : bool
        Whether so few are protected that candidates are found by their local features too.
    by_tags : bool
        Whether so many are protected that only images with a tag in common are compared.
    all_tags : bool
        Whether images are compared whatever their tags say.
    """

    run_id: str
    attempt: int
    settings: Settings
    moment: datetime
    shards: tuple[tuple[Range, ...], ...]
    has_points: bool
    by_tags: bool
    all_tags: bool = False

    @property
    def address(self) -> Address:
        """Where the store is."""
        return Address.of(self.settings)

    @property
    def folder(self) -> Path:
        """Where this machine keeps the protected images for the run."""
        return self.settings.own_dir.absolute() / f"{self.run_id}-{self.attempt}"
