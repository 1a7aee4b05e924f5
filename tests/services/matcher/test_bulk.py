"""The review queue, and one decision on many matches."""

from datetime import timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matcher.reviews.bulk import BulkReview, meets
from services.matcher.reviews.service import ReviewService
from services.matcher.reviews.store import ReviewStore
from services.matcher.suppression.rules import Shown
from srpitp_contracts.matching import BulkReviewRequest, ReviewDecision
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import Collection
from srpitp_servicekit.auth import Caller
from tests.services.matcher.world import ORIGINAL, PAGE, World, altered

REJECT = ReviewDecision.REJECT


async def bulk(world: World, decision: str = "reject", **conditions: Any) -> dict[str, Any]:
    body = {"decision": decision, "note": "all of them", **conditions}
    response = await world.http.post("/v1/reviews", json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def queue(world: World, **params: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        response = await world.http.get(
            "/v1/review", params=params | ({"cursor": cursor} if cursor else {})
        )
        assert response.status_code == 200, response.text
        page = response.json()
        items += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return items


async def copies(world: World, count: int) -> list[str]:
    """Return the detected images of matches that wait, the first one nearest."""
    await world.protect("photo", ORIGINAL)
    detected = []
    for number in range(count):
        name, share = f"copy{number}", 0.1 + 0.03 * number
        detected.append(await world.detect(name, altered(ORIGINAL, share, seed=5)))
        assert await world.tell("detected", detected[-1])
    return detected


async def states(world: World) -> dict[str, str]:
    listed = (await world.http.get("/v1/matches")).json()["items"]
    return {match["detected_id"]: match["state"] for match in listed}


async def move(world: World, detected: str, page: str, uploader: str | None = None) -> None:
    said = uploader and {"value": uploader, "source": "json-ld:author", "confidence": 0.9}
    await world.db[Collection.SIGHTINGS].update_one(
        {"image_id": detected, "page_address": PAGE},
        {"$set": {"page_address": page, "uploader": said}},
    )


async def test_the_queue_is_grouped_by_image_with_all_owners_nearest_first(world: World) -> None:
    await world.protect("far", altered(ORIGINAL, 0.15), owner_id="one")
    await world.protect("near", ORIGINAL, owner_id="two")
    for name, share in (("second", 0.2), ("first", 0.1)):
        await world.tell("detected", await world.detect(name, altered(ORIGINAL, share, seed=9)))
    items = await queue(world, limit=1)
    assert [one["image_address"].rsplit("/")[-1] for one in items] == ["first.jpg", "second.jpg"]
    for item in items:
        assert [one["protected_id"] for one in item["candidates"]] == ["near", "far"]
        assert item["sightings"][0]["page_address"] == PAGE
    of_one = await queue(world, owner_id="one")
    assert [[one["owner_id"] for one in item["candidates"]] for item in of_one] == [["one"]] * 2
    wrong = await world.http.get("/v1/review", params={"cursor": "nonsense"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_request")


async def test_what_is_decided_leaves_the_queue(world: World) -> None:
    first, second = await copies(world, 2)
    await bulk(world, detected_id=first)
    assert [item["detected_id"] for item in await queue(world)] == [second]


async def test_by_page_site_and_uploader(world: World) -> None:
    one, two, three, four = await copies(world, 4)
    await move(world, one, "https://www.example.org/gallery#top", "Anna")
    await move(world, two, "https://example.org.evil.com/gallery", "Anna")
    await move(world, three, "https://example.org/gallery", "Ben")

    answer = await bulk(world, site="example.org", uploader="Anna")
    assert answer == {"decided": 1, "skipped": 0, "more": False}
    assert {id_ for id_, state in (await states(world)).items() if state == "rejected"} == {one}
    assert (await bulk(world, page_address="https://example.org/gallery"))["decided"] == 1
    assert (await states(world))[three] == "rejected"
    assert (await bulk(world, uploader="Anna"))["decided"] == 1
    assert (await states(world))[two] == "rejected"
    assert [item["detected_id"] for item in await queue(world)] == [four]
    match = (await world.http.get("/v1/matches", params={"detected_id": one})).json()["items"][0]
    assert [(d["state"], d["by"], d["note"]) for d in match["history"]] == [
        ("rejected", "key:admin", "all of them")
    ]


async def test_a_part_at_a_time_each_alerted_once(world: World) -> None:
    await copies(world, 5)
    answers: list[dict[str, Any]] = []
    while not answers or answers[-1]["more"]:
        answers.append(await bulk(world, "confirm", owner_id="owner", limit=2))
    assert [answer["decided"] for answer in answers] == [2, 2, 1]
    assert (await bulk(world, "confirm", owner_id="owner"))["decided"] == 0
    await world.settled()
    assert len({alert["match"]["id"] for alert in world.neighbours.alerts}) == 5
    assert len(world.neighbours.alerts) == 5


async def test_only_what_is_nearer_and_was_found_before(world: World) -> None:
    near, *_ = await copies(world, 3)
    before = utc_now() - timedelta(hours=1)
    nothing = await bulk(world, protected_id="photo", found_before=before.isoformat())
    assert nothing["decided"] == 0
    distances = [item["candidates"][0]["decision_distance"] for item in await queue(world)]
    assert (await bulk(world, nearer_than=(distances[0] + distances[1]) / 2))["decided"] == 1
    assert (await states(world))[near] == "rejected"


async def test_what_was_decided_before_an_interruption_stays_decided(world: World) -> None:
    await copies(world, 4)

    class Interrupted:
        done = 0

        async def decide(self, id_: str, *_: Any, **__: Any) -> None:
            if self.done == 2:
                raise KeyError("the process ends here")
            self.done += 1
            await world.review(id_, "reject")

    request = BulkReviewRequest(decision=REJECT, owner_id="owner")
    reviews = cast(ReviewService, Interrupted())
    with pytest.raises(KeyError):
        await BulkReview(ReviewStore(world.db), reviews).review(request, Caller("key", frozenset()))
    assert sorted((await states(world)).values()) == ["in_review"] * 2 + ["rejected"] * 2
    assert (await bulk(world, owner_id="owner"))["decided"] == 2
    assert set((await states(world)).values()) == {"rejected"}


async def test_a_condition_is_needed(world: World) -> None:
    for body in ({}, {"found_before": utc_now().isoformat()}, {"site": "a/b"}, {"limit": 501}):
        response = await world.http.post("/v1/reviews", json={"decision": "reject", **body})
        assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


_PAGES = st.sampled_from(["https://example.org/a", "https://www.example.org/b", "http://evil.com/"])
_NAMES = st.sampled_from(["Anna", "Ben", None])


@given(_PAGES, _NAMES, _PAGES | st.none(), st.sampled_from(["example.org", None]), _NAMES)
def test_all_conditions_are_met_by_the_same_page(
    page: str, uploader: str | None, wanted: str | None, site: str | None, name: str | None
) -> None:
    request = BulkReviewRequest(
        decision=REJECT, owner_id="owner", page_address=wanted, site=site, uploader=name
    )
    assert meets(request, Shown(page, uploader)) == (
        (wanted is None or wanted == page)
        and (site is None or "example.org" in page)
        and (name is None or name == uploader)
    )
