"""The matcher over real HTTP and MongoDB; its neighbours record what they are told."""

from datetime import timedelta
from typing import Any

import pytest

from srpitp_contracts.identifiers import match_id
from srpitp_contracts.names import UNTAGGED
from srpitp_contracts.registration import Scope
from tests.keys import add_key, bearer
from tests.services.matcher.world import (
    NOW,
    ORIGINAL,
    PAGE,
    World,
    altered,
    digest,
    fingerprint,
)


async def test_an_exact_copy_is_confirmed_and_alerted_once(world: World) -> None:
    protected = await world.protect("photo", ORIGINAL)
    detected = await world.detect("copy", ORIGINAL)
    expected = match_id(protected, detected)
    assert await world.tell("detected", detected) == [expected]
    assert await world.tell("detected", detected) == [expected]
    await world.settled()
    match = await world.match(expected)
    assert (match["verdict"], match["state"], match["distance"]) == ("exact", "confirmed", 0)
    assert match["decided_by"] == "rule:exact"
    [alert] = world.neighbours.alerts
    assert alert["owner_id"] == "owner"
    assert alert["match"]["sightings"][0]["page_address"] == PAGE
    assert alert["match"]["sightings"][0]["uploader"]["value"] == "thief"
    assert world.neighbours.told[f"detected/{detected}/retained"] == [{"tag": UNTAGGED}]


async def test_the_same_file_is_exact_whatever_its_texture(world: World) -> None:
    await world.protect("plain", ORIGINAL, digest=digest("file"), textureless=True)
    await world.protect("other", ORIGINAL, textureless=True)
    detected = await world.detect("copy", ORIGINAL, digest=digest("file"), textureless=True)
    [found] = await world.tell("detected", detected)
    assert (await world.match(found))["protected_id"] == "plain"


async def test_a_similar_copy_waits_for_a_reviewer(world: World) -> None:
    await world.protect("photo", ORIGINAL)
    detected = await world.detect("copy", altered(ORIGINAL, 0.2))
    [found] = await world.tell("detected", detected)
    await world.settled()
    assert (await world.match(found))["state"] == "in_review"
    assert not world.neighbours.alerts

    for _ in range(2):
        response = await world.review(found, "confirm")
        assert response.status_code == 200
        assert response.json()["state"] == "confirmed"
        assert response.json()["note"] == "seen"
    await world.settled()
    assert len(world.neighbours.alerts) == 1

    refused = await world.review(found, "reject")
    assert refused.status_code == 409
    assert refused.json()["code"] == "conflict"


async def test_a_rejected_match_is_never_alerted_nor_asked_again(world: World) -> None:
    await world.protect("photo", ORIGINAL)
    detected = await world.detect("copy", altered(ORIGINAL, 0.2))
    [found] = await world.tell("detected", detected)
    assert (await world.review(found, "reject")).json()["state"] == "rejected"
    await world.tell("detected", detected)
    await world.tell("protected", "photo")
    await world.settled()
    assert (await world.match(found))["state"] == "rejected"
    assert not world.neighbours.alerts


async def test_a_stranger_is_no_match(world: World) -> None:
    await world.protect("photo", ORIGINAL)
    detected = await world.detect("stranger", fingerprint(2))
    assert await world.tell("detected", detected) == []
    await world.settled()
    assert not world.neighbours.told


async def test_a_late_registration_finds_what_was_detected_before(world: World) -> None:
    detected = await world.detect("copy", ORIGINAL)
    await world.detect("stranger", fingerprint(2))
    assert await world.tell("detected", detected) == []
    protected = await world.protect("photo", ORIGINAL)
    assert await world.tell("protected", protected) == [match_id(protected, detected)]
    await world.settled()
    assert len(world.neighbours.alerts) == 1


async def test_every_owner_is_a_candidate_nearest_first(world: World) -> None:
    await world.protect("far", altered(ORIGINAL, 0.3), owner_id="one")
    await world.protect("near", altered(ORIGINAL, 0.1), owner_id="two")
    found = await world.tell("detected", await world.detect("copy", ORIGINAL))
    assert [(await world.match(id_))["protected_id"] for id_ in found] == ["near", "far"]


@pytest.mark.parametrize(
    "changes",
    [
        {"protected_from": NOW + timedelta(hours=1)},
        {"protected_until": NOW - timedelta(hours=1)},
        {"status": "deleted", "views": []},
    ],
    ids=["not yet", "no more", "deleted"],
)
async def test_what_is_not_protected_now_is_not_matched(
    world: World, changes: dict[str, Any]
) -> None:
    await world.protect("photo", ORIGINAL)
    assert await world.tell("detected", await world.detect("first", ORIGINAL))
    await world.protect("photo", **{"view": ORIGINAL, **changes})
    second = await world.detect("second", ORIGINAL)
    assert await world.tell("detected", second) == []
    assert await world.tell("protected", "photo") == []


async def test_an_event_of_a_thing_that_is_gone_is_answered(world: World) -> None:
    assert await world.tell("detected", "gone") == []
    assert await world.tell("protected", "gone") == []


async def test_an_alert_is_told_when_the_neighbour_is_back(world: World) -> None:
    world.neighbours.failures = 4
    await world.protect("photo", ORIGINAL)
    await world.tell("detected", await world.detect("copy", ORIGINAL))
    await world.settled()
    assert len(world.neighbours.alerts) == 1


async def test_an_owner_sees_its_own_matches_only(world: World) -> None:
    keys = {}
    for owner in ("one", "two"):
        keys[owner] = await add_key(world.db, owner, Scope.OWNER)
        await world.protect(f"photo-{owner}", ORIGINAL, owner_id=owner)
    found = await world.tell("detected", await world.detect("copy", ORIGINAL))
    assert len(found) == 2
    listed = (await world.http.get("/v1/matches", headers=bearer(keys["one"]))).json()["items"]
    assert [match["protected_id"] for match in listed] == ["photo-one"]
    other = match_id("photo-two", listed[0]["detected_id"])
    assert (
        await world.http.get(f"/v1/matches/{other}", headers=bearer(keys["one"]))
    ).status_code == 404
    refused = await world.http.post(
        f"/v1/matches/{listed[0]['id']}/review",
        json={"decision": "confirm"},
        headers=bearer(keys["one"]),
    )
    assert refused.status_code == 403


async def test_lists_by_cursor(world: World) -> None:
    await world.protect("photo", ORIGINAL)
    found = set()
    for number in range(5):
        found |= set(await world.tell("detected", await world.detect(f"c{number}", ORIGINAL)))
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await world.http.get("/v1/matches", params={"limit": 2, **cursor})).json()
        seen += [match["id"] for match in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert len(seen) == 5
    assert set(seen) == found
    wrong = await world.http.get("/v1/matches", params={"cursor": "nonsense"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_request")
