import base64
import json
from datetime import timedelta

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from srpitp_contracts.identifiers import random_id
from srpitp_contracts.model import Model, UtcTime, utc_now
from srpitp_contracts.names import Collection
from srpitp_servicekit.mongo import Database
from srpitp_servicekit.paging import find_page
from srpitp_servicekit.problems import InvalidRequestError

NOW = utc_now()


class Item(Model):
    id: str
    created_at: UtcTime


async def ids_of_all_pages(db: Database, limit: int) -> list[str]:
    seen: list[str] = []
    cursor = None
    while True:
        page = await find_page(db[Collection.SITES], {}, Item, limit=limit, cursor=cursor)
        seen += [item.id for item in page.items]
        if (cursor := page.next_cursor) is None:
            return seen
        assert len(page.items) == limit
        # What is new belongs before the first page, and disturbs none of the others.
        await db[Collection.SITES].insert_one(
            {"_id": random_id(), "created_at": NOW + timedelta(hours=1)}
        )


@pytest.mark.parametrize("limit", [1, 2, 3, 10])
async def test_every_item_is_on_one_page_the_newest_first(db: Database, limit: int) -> None:
    items = [
        {"_id": str(number), "created_at": NOW + timedelta(milliseconds=number // 3)}
        for number in range(10)
    ]
    await db[Collection.SITES].insert_many(items)
    expected = sorted(items, key=lambda item: (item["created_at"], item["_id"]), reverse=True)
    assert await ids_of_all_pages(db, limit) == [item["_id"] for item in expected]


def packed(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "nonsense",
        "ü",
        packed([]),
        packed({}),
        packed(1),
        packed(["2030-01-01T00:00:00", "naive"]),
        packed(["2030-01-01T00:00:00+00:00", {"$gt": ""}]),
        packed([{"$gt": ""}, "x"]),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    ],
)
async def test_cursor_that_is_none_of_ours(db: Database, cursor: str) -> None:
    with pytest.raises(InvalidRequestError):
        await find_page(db[Collection.SITES], {}, Item, limit=1, cursor=cursor)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text(max_size=200))
async def test_any_text_is_a_cursor_or_a_problem(db: Database, cursor: str) -> None:
    with pytest.raises(InvalidRequestError):
        await find_page(db[Collection.SITES], {}, Item, limit=1, cursor=cursor)
