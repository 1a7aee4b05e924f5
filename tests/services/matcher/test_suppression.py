"""Allowances and exclusions over real HTTP and MongoDB: what alerts nobody, and until when."""

from datetime import timedelta
from typing import Any

import httpx

from services.matcher.main import create_app as create_matcher
from services.matcher.settings import Settings as MatcherSettings
from srpitp_contracts.identifiers import random_id, sighting_id
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import Collection
from srpitp_servicekit.mongo import Database
from tests.deadlines import eventually
from tests.keys import ADMIN_KEY, SERVICE_KEY, bearer
from tests.services.matcher.world import (
    NOW,
    ORIGINAL,
    Neighbours,
    World,
    altered,
    digest,
    fingerprint,
)
from tests.serving import Running


async def allow(world: World, value: str = "site.example", **changes: Any) -> str:
    """Write an allowance as the registration service does, and tell the matcher."""
    document = {
        "_id": random_id(),
        "owner_id": "owner",
        "kind": "site",
        "value": value,
        "on": None,
        "image_ids": [],
        "valid_from": NOW - timedelta(hours=1),
        "valid_until": None,
        "note": "",
        "created_at": utc_now(),
    } | changes
    await world.db[Collection.ALLOWANCES].insert_one(document)
    await tell_of(world, document["_id"])
    return str(document["_id"])


async def tell_of(world: World, allowance_id: str, **changes: Any) -> None:
    event = {"owner_id": "owner", "at": utc_now().isoformat()} | changes
    response = await world.http.put(
        f"/v1/allowances/{allowance_id}", json=event, headers=bearer(SERVICE_KEY)
    )
    assert response.status_code == 204, response.text


async def end(world: World, allowance_id: str) -> None:
    await world.db[Collection.ALLOWANCES].delete_one({"_id": allowance_id})
    await tell_of(world, allowance_id)


async def sight(world: World, detected: str, page: str) -> None:
    sighting = {
        "_id": sighting_id(detected, page),
        "image_id": detected,
        "site_id": "site",
        "page_address": page,
        "page_title": None,
        "uploader": None,
        "uploaded_at": None,
        "first_seen": NOW,
        "last_seen": NOW,
    }
    await world.db[Collection.SIGHTINGS].insert_one(sighting)


async def exact(world: World) -> tuple[str, str]:
    """Return a match of the same picture, and its detected image."""
    await world.protect("photo", ORIGINAL)
    detected = await world.detect("copy", ORIGINAL)
    [found] = await world.tell("detected", detected)
    return found, detected


async def reaches(world: World, match: str, state: str) -> dict[str, Any]:
    async def is_there() -> bool:
        return bool((await world.match(match))["state"] == state)

    await eventually(is_there)
    return await world.match(match)


async def test_what_is_covered_is_shown_and_alerts_nobody(world: World) -> None:
    allowance = await allow(world)
    found, detected = await exact(world)
    for _ in range(2):
        await world.tell("detected", detected)
    await world.settled()
    match = await world.match(found)
    assert (match["state"], match["decided_by"]) == ("suppressed", f"allowance:{allowance}")
    assert [one["by"] for one in match["history"]] == ["rule:exact", f"allowance:{allowance}"]
    assert not world.neighbours.alerts
    assert world.neighbours.told[f"detected/{detected}/retained"]
    listed = (await world.http.get("/v1/matches", params={"state": "suppressed"})).json()
    assert [one["id"] for one in listed["items"]] == [found]


async def test_an_allowance_of_another_owner_or_image_covers_nothing(world: World) -> None:
    await allow(world, owner_id="another")
    await allow(world, image_ids=["other"])
    await allow(world, "site.example.evil.com")
    await allow(world, valid_until=NOW - timedelta(minutes=1))
    found, _ = await exact(world)
    assert (await world.match(found))["state"] == "confirmed"


async def test_when_an_allowance_is_deleted_what_it_covered_is_alerted_once(world: World) -> None:
    allowance = await allow(world)
    found, _ = await exact(world)
    await end(world, allowance)
    match = await reaches(world, found, "confirmed")
    assert match["decided_by"] == "rule:exact"
    await tell_of(world, allowance)
    await world.settled()
    assert [alert["type"] for alert in world.neighbours.alerts] == ["match.confirmed"]


async def test_the_end_is_judged_by_the_clock_that_told_of_it(world: World) -> None:
    soon = utc_now() + timedelta(hours=1)
    allowance = await allow(world, valid_until=soon)
    found, _ = await exact(world)
    await tell_of(world, allowance, at=soon.isoformat())
    await reaches(world, found, "confirmed")


async def test_a_new_page_that_is_not_covered_is_enough(world: World) -> None:
    await allow(world)
    found, detected = await exact(world)
    await sight(world, detected, "http://site.example/more.html")
    await world.tell("detected", detected)
    assert (await world.match(found))["state"] == "suppressed"
    await sight(world, detected, "http://elsewhere.example/")
    await world.tell("detected", detected)
    assert (await world.match(found))["state"] == "confirmed"
    await world.settled()
    [alert] = world.neighbours.alerts
    pages = {sighting["page_address"] for sighting in alert["match"]["sightings"]}
    assert "http://elsewhere.example/" in pages


async def test_a_new_page_counts_also_where_the_pair_is_not_found_any_more(world: World) -> None:
    await allow(world)
    found, detected = await exact(world)
    await world.protect("photo", fingerprint(9), digest=digest("another file"))
    await sight(world, detected, "http://elsewhere.example/")
    assert await world.tell("detected", detected) == []
    assert (await world.match(found))["state"] == "confirmed"
    await world.settled()
    assert len(world.neighbours.alerts) == 1


async def test_an_allowance_takes_what_waits_for_a_review_and_gives_it_back(world: World) -> None:
    await world.protect("photo", ORIGINAL)
    [found] = await world.tell("detected", await world.detect("copy", altered(ORIGINAL, 0.2)))
    allowance = await allow(world)
    await reaches(world, found, "suppressed")
    refused = await world.review(found, "confirm")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    await end(world, allowance)
    match = await reaches(world, found, "in_review")
    assert match["decided_by"] is None
    await world.settled()
    assert not world.neighbours.alerts


async def test_what_was_alerted_stays_confirmed(world: World) -> None:
    found, detected = await exact(world)
    await allow(world)
    await world.tell("detected", detected)
    assert (await world.match(found))["state"] == "confirmed"


async def exclude(world: World, **named: str) -> dict[str, Any]:
    response = await world.http.post("/v1/exclusions", json={**named, "note": "a logo"})
    assert response.status_code == 201, response.text
    body: dict[str, Any] = response.json()
    return body


async def test_an_excluded_image_alerts_nobody_until_the_exclusion_ends(world: World) -> None:
    await world.protect("photo", ORIGINAL)
    await world.protect("another", ORIGINAL, owner_id="someone")
    waiting = await world.tell("detected", await world.detect("first", altered(ORIGINAL, 0.2)))
    exclusion = await exclude(world, match_id=waiting[0])
    assert exclusion == await exclude(world, detected_id=exclusion["detected_id"])
    for found in waiting:
        match = await reaches(world, found, "suppressed")
        assert match["decided_by"] == f"exclusion:{exclusion['id']}"

    same = await world.detect("second", altered(ORIGINAL, 0.2))
    for found in await world.tell("detected", same):
        assert (await world.match(found))["state"] == "suppressed"
    apart = {"name": "whole", "fingerprint": ORIGINAL, "sketch": b"\xff" * 32}
    other = await world.detect("third", ORIGINAL, views=[apart])
    for found in await world.tell("detected", other):
        assert (await world.match(found))["state"] == "confirmed"

    listed = (await world.http.get("/v1/exclusions")).json()["items"]
    assert listed == [exclusion]
    assert exclusion["created_by"] == "key:admin"
    assert (await world.http.delete(f"/v1/exclusions/{exclusion['id']}")).status_code == 204
    for found in waiting:
        await reaches(world, found, "in_review")
    assert (await world.http.delete(f"/v1/exclusions/{exclusion['id']}")).status_code == 404


async def test_there_is_an_end_to_it_but_not_to_saying_it_again(
    running: Running, db: Database
) -> None:
    settings = MatcherSettings(exclusions_limit=1)
    async with (
        running(create_matcher(settings)) as url,
        httpx.AsyncClient(base_url=url, headers=bearer(ADMIN_KEY), timeout=30) as http,
    ):
        world = World(http, db, Neighbours())
        first = await exclude(world, digest=digest("one"))
        assert await exclude(world, digest=digest("one")) == first
        answer = await http.post("/v1/exclusions", json={"digest": digest("two")})
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


async def test_bytes_can_be_excluded_before_they_are_seen(world: World) -> None:
    exclusion = await exclude(world, digest=digest("copy"))
    assert exclusion["detected_id"] is None
    found, _ = await exact(world)
    match = await world.match(found)
    assert match["decided_by"] == f"exclusion:{exclusion['id']}"
    await world.http.delete(f"/v1/exclusions/{exclusion['id']}")
    await reaches(world, found, "confirmed")
    await world.settled()
    assert len(world.neighbours.alerts) == 1


async def test_what_cannot_be_excluded(world: World) -> None:
    for named, status in (
        ({}, 422),
        ({"match_id": "a", "detected_id": "b"}, 422),
        ({"match_id": "nothing"}, 404),
        ({"detected_id": "nothing"}, 404),
    ):
        response = await world.http.post("/v1/exclusions", json=named)
        assert response.status_code == status


async def test_a_judgement_that_was_cut_off_is_made_by_the_next_process(world: World) -> None:
    allowance = await allow(world)
    found, _ = await exact(world)
    await world.db[Collection.ALLOWANCES].delete_one({"_id": allowance})
    # As a process leaves it that was killed in the middle: claimed, and its lease is over.
    await world.db[Collection.JUDGEMENTS].update_one(
        {"_id": f"allowance:{allowance}"},
        {"$set": {"due_at": utc_now(), "lease": "lost", "is_last": False}},
    )
    await reaches(world, found, "confirmed")


async def test_all_is_judged_twice_for_what_was_under_way(world: World) -> None:
    allowance = await allow(world)

    async def waits_for_the_second_time() -> bool:
        document = await world.db[Collection.JUDGEMENTS].find_one({"_id": f"allowance:{allowance}"})
        return bool(document and document["is_last"] and document["lease"] is None)

    await eventually(waits_for_the_second_time)
    found, _ = await exact(world)
    # It was added from what a transaction had seen before the allowance was deleted.
    await world.db[Collection.ALLOWANCES].delete_one({"_id": allowance})
    await world.db[Collection.JUDGEMENTS].update_one({}, {"$set": {"due_at": utc_now()}})
    await reaches(world, found, "confirmed")


async def test_strangers_are_not_touched(world: World) -> None:
    await exclude(world, digest=digest("stranger"))
    await world.protect("photo", fingerprint(7))
    [found] = await world.tell("detected", await world.detect("copy", fingerprint(7)))
    assert (await world.match(found))["state"] == "confirmed"
