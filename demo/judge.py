"""Whether the system did its job: pure functions that return complaints, none when all is well."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import NamedTuple

from demo.site import Access
from srpitp_contracts.crawling import Sighting


class Pair(NamedTuple):
    """A protected photo and the address of a copy of it."""

    photo: str
    image_address: str

    def __str__(self) -> str:
        return f"{self.photo} at {self.image_address}"


@dataclass(frozen=True)
class Told:
    """One webhook as it came, repeats included."""

    webhook_id: str
    pair: Pair


def judge(expected: Collection[Pair], received: Iterable[Told]) -> list[str]:
    """Complain unless every copy was alerted exactly once and nothing else was.

    The same webhook-id may come again (delivery is at least once, and the id is there to tell a
    repeat); another id for the same pair is a second alert.
    """
    pairs_of, ids_of = defaultdict[str, set[Pair]](set), defaultdict[Pair, set[str]](set)
    for told in received:
        pairs_of[told.webhook_id].add(told.pair)
        ids_of[told.pair].add(told.webhook_id)
    missing = [f"no alert: {pair}" for pair in expected if pair not in ids_of]
    false = [f"false alarm: {pair}" for pair in ids_of if pair not in expected]
    twice = [f"{len(ids)} alerts: {pair}" for pair, ids in ids_of.items() if len(ids) > 1]
    mixed = [
        f"webhook-id {id_} told of different things: {', '.join(map(str, sorted(pairs)))}"
        for id_, pairs in pairs_of.items()
        if len(pairs) > 1
    ]
    return [*missing, *false, *twice, *mixed]


@dataclass(frozen=True)
class Stated:
    """What a page truly says of the images that it shows."""

    uploader: str | None
    uploaded_at: datetime | None


def judge_sightings(
    pages: Collection[str], stated: Mapping[str, Stated], sightings: Iterable[Sighting]
) -> list[str]:
    """Complain unless a copy was seen on exactly its pages, with what each page says.

    Parameters
    ----------
    pages
        The addresses of the pages that show the copy.
    stated
        What each page says.
    sightings
        What the system noted.
    """
    by_page = {sighting.page_address: sighting for sighting in sightings}
    complaints = [f"not seen on {page}" for page in pages if page not in by_page]
    for page, sighting in by_page.items():
        if page not in pages:
            complaints.append(f"seen on {page}, which does not show it")
            continue
        uploader = sighting.uploader.value if sighting.uploader else None
        if uploader != stated[page].uploader:
            complaints.append(f"{page} says {stated[page].uploader}, noted was {uploader}")
        noted = sighting.uploaded_at
        time = datetime.fromisoformat(noted.value) if noted else None
        if time != stated[page].uploaded_at:
            complaints.append(f"{page} says {stated[page].uploaded_at}, noted was {time}")
    return complaints


def judge_recrawl(log: Iterable[Access], changed: Collection[str]) -> list[str]:
    """Complain unless only what had changed was sent again, and that once; 304 is free.

    ``robots.txt`` does not count: it is read anew by every crawl.
    """
    sent = [
        entry.address
        for entry in log
        if entry.status != HTTPStatus.NOT_MODIFIED and entry.path != "/robots.txt"
    ]
    again = [f"sent again: {address}" for address in sent if address not in changed]
    twice = [f"sent twice: {address}" for address in changed if sent.count(address) > 1]
    missed = [f"changed and not fetched: {address}" for address in changed if address not in sent]
    return [*again, *twice, *missed]


def judge_robots(log: Iterable[Access], forbidden: str) -> list[str]:
    """Complain of every request below a folder that robots.txt forbids."""
    return [f"robots.txt forbids {entry.path}" for entry in log if entry.path.startswith(forbidden)]
