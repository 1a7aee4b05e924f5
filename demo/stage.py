"""The stage: the website, the receiver and the system, and the journey that goes through them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from demo.journey import Journey, Step
from demo.pages import Website
from demo.photos import ALL
from demo.receiver import Receiver
from demo.system import System

_SETTINGS = {
    # The site is our own: it asks for no politeness.
    "SRPITP_CRAWL_DELAY_SECONDS": "0",
    # With the usual budget none of the copies is in doubt, and reviewers would see nothing.
    "SRPITP_ALARM_BUDGET": "1e-14",
}


@dataclass(frozen=True)
class Stage:
    """Everything that takes part."""

    website: Website
    receiver: Receiver
    system: System
    journey: Journey


@contextmanager
def staged(
    folder: Path,
    *,
    separate: bool = False,
    settings: Mapping[str, str] | None = None,
    report: Callable[[Step], None] = lambda _: None,
    check: Callable[[], None] = lambda: None,
) -> Iterator[Stage]:
    """Run everything that takes part for as long as the block lasts.

    Parameters
    ----------
    folder
        For the system's data and logs.
    separate
        The services as five processes instead of one.
    settings
        Environment variables for the services.
    report
        Told of each step of the journey when it is done.
    check
        Called between steps and while waiting; raises when all is to end.
    """
    originals = {photo.key: photo.read() for photo in ALL}
    website, receiver = Website(originals), Receiver()
    settings = {**_SETTINGS, **(settings or {})}
    system = System(folder, separate=separate, settings=settings, check=check)
    with website.running(), receiver.running(), system.running():
        journey = Journey(
            system.urls,
            system.admin_key,
            website,
            receiver,
            originals,
            report=report,
            check=system.check,
        )
        with journey:
            yield Stage(website, receiver, system, journey)
