"""The way of an alert from the matcher to those who want it."""

import asyncio
from typing import Any

from srpitp_contracts.identifiers import derived_id
from srpitp_contracts.registration import Scope
from tests.keys import ADMIN_KEY, add_key
from tests.services.notification.world import World, a_match


async def test_typical_journey(world: World) -> None:
    """Subscribe, ping, be alerted, look it up, ask for it again, leave."""
    made = await world.subscribe()
    assert made["secret"].startswith("whsec_")

    ping = await world.call("POST", f"/subscriptions/{made['id']}/ping", expect=202)
    [arrived] = await world.receiver.got("/hook", 1)
    assert arrived.is_signed_by(made["secret"])["type"] == "ping"
    assert arrived.is_signed_by(made["secret"])["data"] is None
    await world.ended(ping["alert_id"])

    alert = await world.alert()
    arrived = (await world.receiver.got("/hook", 2))[1]
    event = arrived.is_signed_by(made["secret"])
    assert event == {
        "type": "match.confirmed",
        "timestamp": alert["created_at"],
        "data": alert["match"],
    }
    assert arrived.webhook_id == alert["id"]
    delivery = await world.ended(alert["id"])
    assert [attempt["status"] for attempt in delivery["attempts"]] == [200]
    assert delivery["due_at"] is None

    again = await world.call("POST", f"/deliveries/{delivery['id']}/redeliver", expect=202)
    assert again["id"] == delivery["id"]
    arrived = (await world.receiver.got("/hook", 3))[2]
    assert arrived.webhook_id == alert["id"]
    assert arrived.is_signed_by(made["secret"]) == event

    listed = await world.call("GET", "/alerts", params={"protected_id": "photo"})
    assert [one["id"] for one in listed["items"]] == [alert["id"]]
    assert await world.call("GET", f"/alerts/{alert['id']}") == alert

    await world.call("DELETE", f"/subscriptions/{made['id']}", expect=204)
    await world.call("GET", f"/subscriptions/{made['id']}", expect=404)
    await world.call("POST", f"/deliveries/{delivery['id']}/redeliver", expect=409)


async def test_alert_is_taken_once(world: World) -> None:
    await world.subscribe()
    alert = await world.alert(alert_id="one")
    await world.receiver.got("/hook", 1)
    again = await asyncio.gather(*(world.alert(alert_id="one") for _ in range(5)))
    assert all(one == alert for one in again)
    assert len(await world.deliveries()) == 1
    await world.ended("one")
    await world.receiver.got("/hook", 1)


async def test_alert_that_arrives_twice_at_once_is_one(world: World) -> None:
    await world.subscribe()
    taken = await asyncio.gather(*(world.alert(alert_id="one") for _ in range(8)))
    assert all(one == taken[0] for one in taken)
    await world.ended("one")
    await world.receiver.got("/hook", 1)


async def test_alert_reaches_the_subscriptions_that_want_it(world: World) -> None:
    await world.subscribe("/all")
    await world.subscribe("/photo", image_ids=["photo"])
    await world.subscribe("/other", image_ids=["other"])
    await world.subscribe("/pings", event_types=["ping"])
    await world.subscribe("/bob", key=world.bob)
    alert = await world.alert()
    await world.receiver.got("/all", 1)
    await world.receiver.got("/photo", 1)
    told = await world.deliveries(alert_id=alert["id"])
    expected = {derived_id("delivery", alert["id"], one["subscription_id"]) for one in told}
    assert len(told) == 2
    assert {one["id"] for one in told} == expected
    assert {*world.receiver.arrivals} == {"/all", "/photo"}


async def test_alert_without_subscription_is_listed_and_later_subscribers_are_spared(
    world: World,
) -> None:
    old = await world.alert()
    made = await world.subscribe()
    new = await world.alert()
    await world.ended(new["id"])
    listed = await world.call("GET", "/alerts")
    assert [one["id"] for one in listed["items"]] == [new["id"], old["id"]]
    assert await world.deliveries(subscription_id=made["id"], alert_id=old["id"]) == []
    [arrived] = await world.receiver.got("/hook", 1)
    assert arrived.webhook_id == new["id"]


async def test_owner_sees_and_touches_only_its_own(world: World) -> None:
    made = await world.subscribe()
    alert = await world.alert()
    delivery = await world.ended(alert["id"])
    hers = f"/subscriptions/{made['id']}"
    for method, path in [
        ("GET", hers),
        ("DELETE", hers),
        ("POST", f"{hers}/secret"),
        ("POST", f"{hers}/ping"),
        ("POST", f"{hers}/enable"),
        ("GET", f"/alerts/{alert['id']}"),
        ("GET", f"/deliveries/{delivery['id']}"),
        ("POST", f"/deliveries/{delivery['id']}/redeliver"),
    ]:
        problem = await world.call(method, path, world.bob, expect=404)
        assert problem["code"] == "not_found"
    for path in ("/subscriptions", "/alerts", "/deliveries"):
        assert (await world.call("GET", path, world.bob))["items"] == []
        assert len((await world.call("GET", path, ADMIN_KEY))["items"]) == 1
    assert len(await world.deliveries(world.reviewer)) == 1
    await world.call("GET", "/subscriptions", world.reviewer, expect=403)
    both = await add_key(world.db, "bob", Scope.OWNER, Scope.REVIEWER)
    await world.call("DELETE", hers, both, expect=404)
    await world.call("POST", f"/deliveries/{delivery['id']}/redeliver", both, expect=403)


async def test_only_services_tell_of_matches(world: World) -> None:
    body = {"type": "match.confirmed", "owner_id": "bob", "match": a_match("bob")}
    await world.call("PUT", "/alerts/x", world.alice, expect=403, json=body)
    await world.call("PUT", "/alerts/x", world.reviewer, expect=403, json=body)
    response = await world.http.put("/v1/alerts/x", json=body)
    assert response.status_code == 401


async def test_lists_go_on_by_cursor(world: World) -> None:
    alerts = [(await world.alert())["id"] for _ in range(5)]
    seen: list[str] = []
    params: dict[str, Any] = {"limit": 2}
    while True:
        page = await world.call("GET", "/alerts", params=params)
        seen += [one["id"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert seen == alerts[::-1]
    await world.call("GET", "/alerts", expect=422, params={"cursor": "nonsense"})
    await world.call("GET", "/alerts", expect=422, params={"limit": 501})
