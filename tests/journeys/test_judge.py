"""The journeys' judge must be able to say no."""

from datetime import UTC, datetime

import pytest

from demo.judge import (
    Pair,
    Stated,
    Told,
    judge,
    judge_recrawl,
    judge_robots,
    judge_sightings,
)
from demo.site import Access
from srpitp_contracts.crawling import Sighting, Statement

CAT = Pair("chelsea", "http://site/cat.jpg")
CUP = Pair("coffee", "http://site/cup.jpg")
PAGE = "http://site/page.html"
NOON = datetime(2025, 3, 2, 12, tzinfo=UTC)


def test_each_copy_once_is_well() -> None:
    assert judge([CAT, CUP], [Told("a", CAT), Told("b", CUP)]) == []


def test_the_same_webhook_again_is_a_repeat_and_no_second_alert() -> None:
    assert judge([CAT], [Told("a", CAT), Told("a", CAT)]) == []


@pytest.mark.parametrize(
    ("received", "complaint"),
    [
        ([], "no alert: chelsea at http://site/cat.jpg"),
        ([Told("a", CAT), Told("b", CUP)], "false alarm: coffee at http://site/cup.jpg"),
        ([Told("a", CAT), Told("b", CAT)], "2 alerts: chelsea at http://site/cat.jpg"),
        (
            [Told("a", CAT), Told("b", Pair("coffee", CAT.image_address))],
            "false alarm: coffee at http://site/cat.jpg",
        ),
    ],
)
def test_what_is_wrong_is_said(received: list[Told], complaint: str) -> None:
    assert judge([CAT], received) == [complaint]


def test_one_webhook_id_for_two_things_is_wrong() -> None:
    [complaint] = judge([CAT, CUP], [Told("a", CAT), Told("a", CUP)])
    assert "webhook-id a told of different things" in complaint


def sighting(page: str = PAGE, by: str | None = "Mira", at: str | None = None) -> Sighting:
    return Sighting(
        id="s",
        image_id="i",
        site_id="w",
        page_address=page,
        page_title=None,
        uploader=Statement(value=by, source="meta:author", confidence=1) if by else None,
        uploaded_at=Statement(value=at or NOON.isoformat(), source="meta:date", confidence=1),
        first_seen=NOON,
        last_seen=NOON,
    )


def test_a_sighting_that_says_what_the_page_says_is_well() -> None:
    stated = {PAGE: Stated("Mira", NOON)}
    elsewhere = sighting(at="2025-03-02T13:00:00+01:00")
    assert judge_sightings([PAGE], stated, [sighting()]) == []
    assert judge_sightings([PAGE], stated, [elsewhere]) == []


@pytest.mark.parametrize(
    ("seen", "complaint"),
    [
        ([], f"not seen on {PAGE}"),
        ([sighting(), sighting("http://site/x")], "seen on http://site/x, which does not show it"),
        ([sighting(by="Otto")], f"{PAGE} says Mira, noted was Otto"),
        ([sighting(by=None)], f"{PAGE} says Mira, noted was None"),
        (
            [sighting(at="2025-03-02T12:00:01+00:00")],
            f"{PAGE} says {NOON}, noted was 2025-03-02 12:00:01+00:00",
        ),
    ],
)
def test_a_sighting_that_says_otherwise_is_wrong(seen: list[Sighting], complaint: str) -> None:
    assert judge_sightings([PAGE], {PAGE: Stated("Mira", NOON)}, seen) == [complaint]


def log(**statuses: int) -> list[Access]:
    return [Access(f"http://site/{name}", status, 0) for name, status in statuses.items()]


def test_a_recrawl_may_fetch_what_changed() -> None:
    assert (
        judge_recrawl(log(page=200, cat=200, cup=304), {"http://site/page", "http://site/cat"})
        == []
    )
    robots = [Access("http://site/robots.txt", 200, 0)]
    assert judge_recrawl(robots, set()) == []


@pytest.mark.parametrize(
    ("entries", "complaint"),
    [
        (log(page=200, cup=200), "sent again: http://site/cup"),
        (log(page=200, cup=404), "sent again: http://site/cup"),
        (log(page=200) * 2, "sent twice: http://site/page"),
        (log(page=304), "changed and not fetched: http://site/page"),
        ([], "changed and not fetched: http://site/page"),
    ],
)
def test_a_recrawl_must_fetch_nothing_else(entries: list[Access], complaint: str) -> None:
    assert judge_recrawl(entries, {"http://site/page"}) == [complaint]


def test_what_robots_txt_forbids_must_not_be_asked_for() -> None:
    entries = [Access("http://site/private/a.jpg", 200, 0), Access("http://site/b.jpg", 200, 0)]
    assert judge_robots(entries, "/private/") == ["robots.txt forbids /private/a.jpg"]
