"""Which measurements of the Spark jobs are made, and on what."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from spark_cost import Cost
from spark_world import fill, fill_photos, fill_states

__all__ = ["PLANS", "Plan", "World"]

_JOBS = Path(__file__).with_name("spark_jobs.py")
_SOME_SECONDS = 10_000  # images of a task that compares each with a million


@dataclass(frozen=True)
class Plan:
    """One measurement to be made."""

    what: str
    master: str
    images: int
    database: str
    mode: str = "paper"
    task_images: int = 2000
    shard_images: int = 250_000

    def measure(self, uri: str, work: Path) -> Cost:
        """Measure in a process of its own."""
        options = [f"--{name.replace('_', '-')}={value}" for name, value in asdict(self).items()]
        command = [sys.executable, str(_JOBS), "one", f"--uri={uri}", f"--work={work}", *options]
        ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
        return Cost(**json.loads(ended.stdout.splitlines()[-1]))


@dataclass(frozen=True)
class World:
    """Where databases are made.

    Attributes
    ----------
    uri, work
    size : float
        Share of 100,000 images x 1 million protected ones.
    """

    uri: str
    work: Path
    size: float

    @property
    def protected(self) -> int:
        """How many images are protected."""
        return int(1_000_000 * self.size)

    @property
    def detected(self) -> int:
        """How many images are looked for."""
        return int(100_000 * self.size)

    def large(self) -> str:
        """Make a database of images with one view each."""
        return fill(self.uri, self.protected, self.detected, 1)

    def of_views(self) -> str:
        """Make a database of as many views, six of an image."""
        return fill(self.uri, self.protected // 6, self.detected // 25, 6, "standard")


def fig5(world: World) -> list[Plan]:
    """Extract 500, 1,000 and 2,000 images, as the paper's Fig. 5 does."""
    folder = world.work / "data"
    return [
        Plan("describe", master, images, fill_photos(world.uri, folder, images))
        for images in (500, 1000, 2000)
        for master in ("none", "local[1]", "local[2]")
    ]


def fig6(world: World) -> list[Plan]:
    """Match 2,000 and 4,000 images against 2,000, as the paper's Fig. 6 does."""
    return [
        Plan(what, master, images, fill(world.uri, 2000, images, 1))
        for images in (2000, 4000)
        for what, master in (("kernel", "none"), ("match", "local[1]"), ("match", "local[2]"))
    ]


def _against_all(master: str, images: int, database: str) -> Plan:
    """Match images against a million, in tasks of some seconds as a run should have them."""
    return Plan("match", master, images, database, task_images=_SOME_SECONDS)


def large(world: World) -> list[Plan]:
    """Match 100,000 images against a million: a quarter and a half of them too."""
    half, database = world.detected // 2, world.large()
    return [
        Plan("kernel", "none", half, database),
        *(Plan("kernel", f"local[{cores}]", half, database) for cores in (1, 2)),
        _against_all("local[2]", half // 2, database),
        *(_against_all(f"local[{cores}]", half, database) for cores in (1, 2)),
        *(_against_all(f"local[{cores}]", 2 * half, database) for cores in (1, 2)),
    ]


def cluster(world: World) -> list[Plan]:
    """Match a quarter of them on one executor and half on two, each a process with one core."""
    quarter, database = world.detected // 4, world.large()
    return [
        _against_all(f"local-cluster[{executors},1,1024]", images, database)
        for executors, images in ((1, quarter), (2, quarter), (2, 2 * quarter))
    ]


def standard(world: World) -> list[Plan]:
    """Match in the standard mode: eight probes an image, six views a photo."""
    images, database = world.detected // 25, world.of_views()
    return [
        Plan("match", f"local[{cores}]", images, database, "standard", task_images=500)
        for cores in (1, 2)
    ]


def reading(world: World) -> list[Plan]:
    """Read the protected images: undecoded, as dictionaries, and as a match run does."""
    found = ((world.large(), "paper"), (world.of_views(), "standard"))
    return [
        *(Plan(what, "none", 0, of) for of, _ in found for what in ("read", "find")),
        *(
            Plan("read", f"local[{cores}]", 0, of, mode, shard_images=50_000)
            for of, mode in found
            for cores in (1, 2)
        ),
    ]


def writing(world: World) -> list[Plan]:
    """Advance a million states."""
    database = fill_states(world.uri, world.protected)
    return [Plan("states", "local[2]", world.protected, database, task_images=50_000)]


PLANS: dict[str, Callable[[World], list[Plan]]] = {
    "fig5": fig5,
    "fig6": fig6,
    "large": large,
    "standard": standard,
    "cluster": cluster,
    "reading": reading,
    "writing": writing,
}
