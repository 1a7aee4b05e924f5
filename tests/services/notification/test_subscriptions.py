"""Who may subscribe, to what, and under which address."""

import asyncio
import json
from typing import Any

import pytest

from srpitp_servicekit.mongo import Database
from tests.keys import ADMIN_KEY
from tests.services.notification.receiver import Receiver, drop
from tests.services.notification.world import World, a_world
from tests.serving import Running
from tests.sites import answer


async def test_secret_is_shown_once_and_never_logged(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    world.receiver.replies["/hook"] = [answer(status=500), drop]
    made = await world.subscribe()
    shown = [
        await world.call("GET", "/subscriptions"),
        await world.call("GET", f"/subscriptions/{made['id']}"),
        await world.call("POST", f"/subscriptions/{made['id']}/enable"),
        await world.call("POST", f"/subscriptions/{made['id']}/ping", expect=202),
    ]
    await world.receiver.got("/hook", 3)
    await world.ended(shown[3]["alert_id"])
    assert "whsec_" not in str(shown)
    # The driver's own command log, which shows whatever is stored, is off but in this test.
    ours = "\n".join(r.getMessage() for r in caplog.records if not r.name.startswith("pymongo"))
    assert made["secret"] not in ours
    assert made["secret"].removeprefix("whsec_") not in ours


async def test_a_subscription_hears_of_the_events_that_it_names(world: World) -> None:
    events = ("match.in_review", "match.confirmed", "match.withdrawn")
    for event in events:
        await world.subscribe(f"/{event}", event_types=[event])
    await world.subscribe("/all")
    for event in events:
        alert = await world.alert(event=event)
        told = {one["subscription_id"] for one in await world.deliveries(alert_id=alert["id"])}
        assert len(told) == 2
        [arrived] = await world.receiver.got(f"/{event}", 1)
        assert json.loads(arrived.body)["type"] == event
    everything = await world.receiver.got("/all", 3)
    assert {json.loads(one.body)["type"] for one in everything} == {*events}


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("http://10.0.0.1/", "address_refused"),
        ("http://169.254.169.254/latest/meta-data", "address_refused"),
        ("http://[::1]/", "address_refused"),
        ("http://2852039166/", "address_refused"),
        ("http://name.invalid/", "address_unreachable"),
        ("ftp://127.0.0.1/", "invalid_request"),
        ("http://user:word@127.0.0.1/", "invalid_request"),
        ("nonsense", "invalid_request"),
        ("http://127.0.0.1/" + 2000 * "x", "invalid_request"),
    ],
)
async def test_address_is_checked_at_once(world: World, address: str, code: str) -> None:
    problem = await world.call("POST", "/subscriptions", expect=422, json={"address": address})
    assert problem["code"] == code
    assert "word" not in str(problem)
    assert (await world.call("GET", "/subscriptions"))["items"] == []


async def test_key_makes_one_subscription(world: World) -> None:
    body = {"address": world.receiver.address("/hook"), "image_ids": ["b", "a"]}

    async def post(key: str, expect: int = 201, **fields: Any) -> Any:
        return await world.call(
            "POST",
            "/subscriptions",
            key,
            expect,
            json=body | fields,
            headers={"Idempotency-Key": "mine"},
        )

    made = await asyncio.gather(*(post(world.alice) for _ in range(4)))
    assert all(one == made[0] for one in made)
    assert len((await world.call("GET", "/subscriptions"))["items"]) == 1
    problem = await post(world.alice, 422, image_ids=["c"])
    assert problem["code"] == "idempotency_key_reused"
    assert (await post(world.bob))["id"] != made[0]["id"]


async def test_key_without_owner_cannot_subscribe(world: World) -> None:
    body = {"address": world.receiver.address("/hook")}
    await world.call("POST", "/subscriptions", ADMIN_KEY, expect=403, json=body)
    await world.call("POST", "/subscriptions", world.reviewer, expect=403, json=body)


async def test_number_of_subscriptions_is_bounded(
    quick: None,
    db: Database,
    receiver: Receiver,
    running: Running,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SRPITP_SUBSCRIPTIONS_PER_OWNER", "2")
    async with a_world(db, receiver, running) as world:
        await world.subscribe("/1")
        made = await world.subscribe("/2")
        body = {"address": receiver.address("/3")}
        await world.call("POST", "/subscriptions", expect=409, json=body)
        await world.subscribe("/bob", key=world.bob)
        await world.call("DELETE", f"/subscriptions/{made['id']}", expect=204)
        await world.subscribe("/3")
