"""Which pages an allowance covers, and when a match is covered: plain values."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.matcher.suppression.rules import ExcludedImages, Shown, covering, covers, in_force
from srpitp_contracts.allowances import Allowance, AllowanceKind, AllowanceRequest
from srpitp_contracts.identifiers import derived_id
from srpitp_contracts.model import utc_now
from srpitp_fingerprint import Description, extract
from tests.services import images
from tests.services.matcher.matches import found

NOW = utc_now()
HOUR = timedelta(hours=1)


def allowance(kind: AllowanceKind, value: str, on: str | None = None, **changes: Any) -> Allowance:
    fields: dict[str, Any] = {
        "id": derived_id(value),
        "owner_id": "owner",
        "kind": kind,
        "value": value,
        "on": on,
        "image_ids": frozenset(),
        "valid_from": NOW - HOUR,
        "valid_until": None,
        "note": "",
        "created_at": NOW,
    }
    return Allowance.model_validate(fields | changes)


ANNA = allowance(AllowanceKind.UPLOADER, "Anna Ortiz", on="photos.example")
SITE = allowance(AllowanceKind.SITE, "example.org")
BLOG = allowance(AllowanceKind.PAGE_PREFIX, "https://other.example/blog")


@pytest.mark.parametrize(
    ("page", "uploader", "is_covered"),
    [
        ("https://photos.example/1", "Anna Ortiz", True),
        ("https://photos.example/1", " Anna \n Ortiz ", True),
        ("https://photos.example/1", "anna ortiz", False),
        ("https://photos.example/1", "Anna Ortiz (admin)", False),
        ("https://photos.example/1", None, False),
        ("https://photos.example.evil.com/1", "Anna Ortiz", False),
        ("https://elsewhere.example/1", "Anna Ortiz", False),
    ],
)
def test_an_uploader_counts_where_the_site_knows_them(
    page: str, uploader: str | None, is_covered: bool
) -> None:
    assert covers(ANNA, Shown(page, uploader)) is is_covered


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "uploader", "value": "Anna"},
        {"kind": "site", "value": "example.org", "on": "example.org"},
        {"kind": "site", "value": "example.org/path"},
        {"kind": "page_prefix", "value": "https://example.org@evil.com/"},
        {"kind": "site", "value": "example.org", "valid_from": NOW, "valid_until": NOW - HOUR},
    ],
)
def test_what_is_no_allowance(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AllowanceRequest.model_validate(fields)


def test_what_counts_for_a_match_at_a_moment() -> None:
    match = found()
    counting = {
        "whole": allowance(AllowanceKind.SITE, "a.example"),
        "image": allowance(AllowanceKind.SITE, "b.example", image_ids=["photo"]),
        "until": allowance(AllowanceKind.SITE, "c.example", valid_until=NOW + HOUR),
    }
    others = [
        allowance(AllowanceKind.SITE, "d.example", image_ids=["other"]),
        allowance(AllowanceKind.SITE, "e.example", owner_id="another"),
        allowance(AllowanceKind.SITE, "f.example", valid_from=NOW + HOUR),
        allowance(AllowanceKind.SITE, "g.example", valid_until=NOW),
    ]
    assert in_force([*others, *counting.values()], match, NOW) == list(counting.values())


async def pages(shown: Sequence[Shown]) -> AsyncIterator[Shown]:
    for one in shown:
        yield one


_SHOWN = st.sampled_from(
    [
        Shown("https://example.org/a", None),
        Shown("https://www.example.org/b", "Anna Ortiz"),
        Shown("https://other.example/blog/c", None),
        Shown("https://other.example/d", None),
        Shown("https://photos.example/e", "Anna Ortiz"),
        Shown("https://photos.example/e", "Ben"),
    ]
)


@given(st.lists(st.sampled_from([ANNA, SITE, BLOG]), max_size=3), st.lists(_SHOWN, max_size=5))
async def test_one_page_that_is_not_covered_is_enough(
    allowances: list[Allowance], shown: list[Shown]
) -> None:
    covered = await covering(allowances, pages(shown))
    each = [any(covers(one, page) for one in allowances) for page in shown]
    assert (covered is not None) == (bool(shown) and all(each))
    if covered:
        assert covers(covered, shown[0])


def test_an_excluded_image_is_known_again_and_no_other() -> None:
    logo = images.photo(1)
    pictures = [images.jpeg(logo), images.jpeg(logo, 60), images.jpeg(images.photo(2))]
    one, resaved, other = (Description(extract(picture)) for picture in pictures)
    excluded = ExcludedImages({"logo": one})
    assert excluded.like(one) == "logo"
    assert excluded.like(resaved) == "logo"
    assert excluded.like(other) is None
    assert ExcludedImages({}).like(one) is None


def test_a_plain_image_is_excluded_by_its_bytes_only() -> None:
    white, grey = (Description(extract(images.png(images.plain(grey=g)))) for g in (250, 200))
    excluded = ExcludedImages({"white": white})
    assert excluded.like(white) == "white"
    assert excluded.like(grey) is None
