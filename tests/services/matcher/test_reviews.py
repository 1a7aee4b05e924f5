"""Reviews over real HTTP and MongoDB: decisions, undoing, and who hears of it."""

from typing import Any

import httpx

from srpitp_contracts.names import Collection
from tests.services.matcher.world import ORIGINAL, World, altered


async def undo(world: World, id_: str) -> httpx.Response:
    return await world.http.post(f"/v1/matches/{id_}/undo", json={"note": "a slip"})


async def similar(world: World) -> str:
    """Return a match that waits for a reviewer."""
    await world.protect("photo", ORIGINAL)
    [found] = await world.tell("detected", await world.detect("copy", altered(ORIGINAL, 0.2)))
    return found


async def want_everything(world: World, owner_id: str = "owner") -> None:
    await world.db[Collection.OWNERS].insert_one({"_id": owner_id, "alert_policy": "everything"})


def told(world: World) -> list[str]:
    return [alert["type"] for alert in world.neighbours.alerts]


async def test_every_decision_is_kept_with_who_when_and_why(world: World) -> None:
    found = await similar(world)
    await world.review(found, "confirm")
    assert (await undo(world, found)).status_code == 200
    match: dict[str, Any] = (await world.review(found, "reject")).json()
    assert [(one["state"], one["by"], one["note"]) for one in match["history"]] == [
        ("confirmed", "key:admin", "seen"),
        ("in_review", "key:admin", "a slip"),
        ("rejected", "key:admin", "seen"),
    ]
    times = [one["at"] for one in match["history"]]
    assert times == sorted(times)
    assert match["decided_at"] == times[-1]


async def test_an_undone_confirmation_is_withdrawn_and_told_anew_once(world: World) -> None:
    found = await similar(world)
    for _ in range(2):
        await world.review(found, "confirm")
    await world.settled()
    assert told(world) == ["match.confirmed"]

    undone = (await undo(world, found)).json()
    assert (undone["state"], undone["decided_by"]) == ("in_review", None)
    assert undone["alerted"] == "match.withdrawn"
    refused = await undo(world, found)
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    await world.settled()
    assert told(world) == ["match.confirmed", "match.withdrawn"]

    for _ in range(2):
        await world.review(found, "confirm")
        await world.tell("detected", undone["detected_id"])
    await world.settled()
    assert sorted(told(world)) == ["match.confirmed", "match.confirmed", "match.withdrawn"]
    assert len({path for path in world.neighbours.told if "alerts/" in path}) == 3


async def test_what_a_rule_confirmed_can_be_undone(world: World) -> None:
    await world.protect("photo", ORIGINAL)
    [found] = await world.tell("detected", await world.detect("copy", ORIGINAL))
    match = (await undo(world, found)).json()
    assert [one["by"] for one in match["history"]] == ["rule:exact", "key:admin"]
    await world.tell("detected", match["detected_id"])
    assert (await world.match(found))["state"] == "in_review"
    await world.settled()
    assert sorted(told(world)) == ["match.confirmed", "match.withdrawn"]


async def test_there_is_nothing_to_undo_of_what_is_not_there(world: World) -> None:
    assert (await undo(world, "nothing")).status_code == 404


async def test_who_wants_to_hear_everything_is_alerted_of_what_is_in_review(world: World) -> None:
    await want_everything(world)
    found = await similar(world)
    await world.tell("protected", "photo")
    await world.settled()
    assert told(world) == ["match.in_review"]
    [alert] = world.neighbours.alerts
    assert (alert["match"]["id"], alert["match"]["state"]) == (found, "in_review")
    await world.review(found, "confirm")
    await world.settled()
    assert sorted(told(world)) == ["match.confirmed", "match.in_review"]
