"""Deliveries to subscribers that fail in every way, and through kills of the service."""

import asyncio
import signal
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from services.notification.delivery import Answer, Outcome, jittered, retry_after
from services.notification.signing import SigningSecret, new_secret, rotated, signed_headers
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import Collection
from srpitp_servicekit.embedded import free_port
from srpitp_servicekit.mongo import Database
from tests.deadlines import eventually
from tests.keys import add_key
from tests.services.notification.receiver import Receiver, drop, hang
from tests.services.notification.world import World, a_world
from tests.services.processes import service_process
from tests.serving import Running
from tests.sites import answer

NOW = datetime(2030, 1, 1, tzinfo=UTC)


async def test_failed_delivery_is_tried_again_under_the_same_id(world: World) -> None:
    world.receiver.replies["/hook"] = [answer(b"no\nroom\x00 " + 5000 * b"x", 500), drop]
    made = await world.subscribe()
    alert = await world.alert()
    arrivals = await world.receiver.got("/hook", 3)
    delivery = await world.ended(alert["id"])
    assert {one.webhook_id for one in arrivals} == {alert["id"]}
    assert {one.body for one in arrivals} == {arrivals[0].body}
    for arrival in arrivals:
        arrival.is_signed_by(made["secret"])
    first, second, third = delivery["attempts"]
    assert first["status"] == 500
    assert first["error"].startswith("answered 500: no room xxx")
    assert len(first["error"]) < 300
    assert second["status"] is None
    assert second["error"].startswith("RemoteProtocolError")
    assert third == third | {"status": 200, "error": None}


async def test_schedule_ends(world: World) -> None:
    world.receiver.always["/hook"] = answer(status=503)
    await world.subscribe()
    alert = await world.alert()
    delivery = await world.ended(alert["id"], "abandoned")
    assert [one["status"] for one in delivery["attempts"]] == [503, 503, 503]
    assert delivery["due_at"] is None
    [listed] = await world.deliveries(state="abandoned")
    assert listed == delivery

    world.receiver.always["/hook"] = answer(status=204)
    await world.call("POST", f"/deliveries/{delivery['id']}/redeliver", expect=202)
    delivery = await world.ended(alert["id"])
    assert [one["status"] for one in delivery["attempts"]] == [503, 503, 503, 204]


async def test_redelivery_has_the_whole_schedule_ahead(world: World) -> None:
    world.receiver.always["/hook"] = answer(status=500)
    await world.subscribe()
    delivery = await world.ended((await world.alert())["id"], "abandoned")
    await world.call("POST", f"/deliveries/{delivery['id']}/redeliver", expect=202)
    await world.receiver.got("/hook", 6)
    again = await world.ended(delivery["alert_id"], "abandoned")
    assert len(again["attempts"]) == 6


async def test_redirect_is_a_failure(world: World) -> None:
    world.receiver.always["/hook"] = answer(status=302, Location=world.receiver.address("/else"))
    await world.subscribe()
    alert = await world.alert()
    delivery = await world.ended(alert["id"], "abandoned")
    assert delivery["attempts"][0]["status"] == 302
    assert "redirects are not followed" in delivery["attempts"][0]["error"]
    assert "/else" not in world.receiver.arrivals


async def test_gone_disables_the_subscription_and_ends_what_waits(world: World) -> None:
    world.receiver.replies["/hook"] = [answer(status=503, Retry_After="60"), answer(status=410)]
    made = await world.subscribe()
    waiting = await world.alert()
    await world.receiver.got("/hook", 1)

    async def is_put_off() -> bool:
        [delivery] = await world.deliveries(alert_id=waiting["id"])
        return bool(delivery["attempts"])

    await eventually(is_put_off)
    gone = await world.alert()
    shown = await world.ended(gone["id"], "abandoned")
    assert shown["attempts"][0]["status"] == 410
    assert (await world.ended(waiting["id"], "abandoned"))["due_at"] is None
    disabled = await world.call("GET", f"/subscriptions/{made['id']}")
    assert disabled["disabled_at"]
    assert "410" in disabled["disabled_reason"]

    missed = await world.alert()
    assert await world.deliveries(alert_id=missed["id"]) == []
    await world.call("POST", f"/subscriptions/{made['id']}/ping", expect=409)
    await world.call("POST", f"/deliveries/{shown['id']}/redeliver", expect=409)

    enabled = await world.call("POST", f"/subscriptions/{made['id']}/enable")
    assert enabled["disabled_at"] is None
    assert enabled["disabled_reason"] is None
    await world.ended((await world.alert())["id"])
    await world.call("POST", f"/deliveries/{shown['id']}/redeliver", expect=202)
    await world.ended(gone["id"])


async def test_retry_after_is_honoured_for_all_that_waits_for_the_subscriber(world: World) -> None:
    world.receiver.replies["/hook"] = [answer(status=429, Retry_After="1")]
    await world.subscribe()
    begun = time.monotonic()
    first, second = await world.alert(), await world.alert()
    await world.receiver.got("/hook", 3)
    assert time.monotonic() - begun > 1
    assert [one["status"] for one in (await world.ended(first["id"]))["attempts"]] == [429, 200]
    await world.ended(second["id"])


async def test_one_that_hangs_holds_up_nobody_else(
    quick: None,
    db: Database,
    receiver: Receiver,
    running: Running,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SRPITP_DELIVERY_TIMEOUT_SECONDS", "30")
    monkeypatch.setenv("SRPITP_DELIVERIES_AT_ONCE", "3")
    receiver.always["/hangs"] = hang
    async with a_world(db, receiver, running) as world:
        await world.subscribe("/hangs")
        await world.subscribe("/other", key=world.bob)
        for _ in range(5):
            await world.alert("alice")
        await receiver.got("/hangs", 1)
        begun = time.monotonic()
        for _ in range(20):
            await world.alert("bob")
        await receiver.got("/other", 20)
        assert time.monotonic() - begun < 10
        await receiver.got("/hangs", 1)


async def test_hanging_subscriber_runs_into_the_time_limit(world: World) -> None:
    world.receiver.replies["/hook"] = [hang]
    await world.subscribe()
    delivery = await world.ended((await world.alert())["id"])
    assert delivery["attempts"][0]["error"] == "no answer within 1 s"
    assert 900 < delivery["attempts"][0]["duration_ms"] < 5000


async def test_answer_that_never_ends_is_cut(world: World) -> None:
    async def pours(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 410 Gone\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async def drips(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 500 X\r\n\r\n")
        while True:
            writer.write(b"y")
            await writer.drain()
            await asyncio.sleep(0.1)

    world.receiver.replies["/hook"] = [drips, pours]
    await world.subscribe()
    delivery = await world.ended((await world.alert())["id"], "abandoned")
    assert [one["status"] for one in delivery["attempts"]] == [500, 410]
    assert delivery["attempts"][0]["error"].startswith("answered 500: y")
    assert len(delivery["attempts"][1]["error"]) < 300


async def test_subscription_deleted_with_deliveries_waiting(world: World) -> None:
    world.receiver.always["/hook"] = answer(status=503, Retry_After="60")
    made = await world.subscribe()
    alert = await world.alert()
    await world.receiver.got("/hook", 1)
    await world.call("DELETE", f"/subscriptions/{made['id']}", expect=204)
    assert (await world.ended(alert["id"], "abandoned"))["due_at"] is None


async def test_name_that_leads_elsewhere_later_is_refused_at_the_connection(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await world.subscribe()
    rebound = {"address": "http://10.0.0.1:9/hook"}  # as if its name led there now
    await world.db[Collection.SUBSCRIPTIONS].update_one({"_id": made["id"]}, {"$set": rebound})
    delivery = await world.ended((await world.alert())["id"], "abandoned")
    assert "does not lead to a public address" in delivery["attempts"][0]["error"]


async def test_both_secrets_sign_after_a_rotation(world: World) -> None:
    made = await world.subscribe()
    issued = await world.call("POST", f"/subscriptions/{made['id']}/secret")
    assert issued["secret"] != made["secret"]
    await world.alert()
    [arrived] = await world.receiver.got("/hook", 1)
    assert len(arrived.headers["webhook-signature"].split(" ")) == 2
    arrived.is_signed_by(made["secret"])
    arrived.is_signed_by(issued["secret"])


async def test_kill_between_the_post_and_its_mark_sends_the_same_id_again(
    quick: None, db: Database, receiver: Receiver
) -> None:
    port = free_port()
    async with (
        service_process("services.notification.main", port=port) as (process, address),
        httpx.AsyncClient(base_url=address) as http,
    ):
        killed = asyncio.Event()

        async def kill_the_sender(writer: asyncio.StreamWriter) -> None:
            process.send_signal(signal.SIGKILL)
            await process.wait()
            killed.set()

        receiver.replies["/hook"] = [kill_the_sender]
        key = await add_key(db, "alice")
        world = World(http, db, receiver, await add_key(db, "alice", "owner"), key, key)  # type: ignore[arg-type]
        await world.subscribe()
        alert = await world.alert()
        await asyncio.wait_for(killed.wait(), 20)
    async with service_process("services.notification.main", port=port):
        first, second = await receiver.got("/hook", 2)
    assert first.webhook_id == second.webhook_id == alert["id"]
    assert first.body == second.body


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.DELIVERED),
        (204, Outcome.DELIVERED),
        (301, Outcome.FAILED),
        (304, Outcome.FAILED),
        (400, Outcome.FAILED),
        (410, Outcome.GONE),
        (500, Outcome.FAILED),
        (None, Outcome.FAILED),
    ],
)
def test_outcome(status: int | None, outcome: Outcome) -> None:
    assert Answer(status).outcome is outcome


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("99999999999999999999", None),
        ("0", 0),
        (" 120 ", 120),
        (format_datetime(NOW + timedelta(minutes=2), usegmt=True), 120),
        (format_datetime(NOW - timedelta(minutes=2), usegmt=True), 0),
        ("Tue, 01 Jan 2030 00:01:00 -0000", 60),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    asked = retry_after(header, NOW)
    assert (asked.total_seconds() if asked else asked) == (timedelta() if seconds == 0 else seconds)


def test_jitter_is_small() -> None:
    assert all(timedelta(seconds=90) <= jittered(100) <= timedelta(seconds=110) for _ in range(99))
    assert jittered(0) == timedelta()


def test_rotation_overlaps_for_a_while_and_is_bounded() -> None:
    hour = timedelta(hours=1)
    first, second = new_secret(), new_secret()
    known = rotated([first], second, now=NOW, overlap=hour)
    assert [one.value for one in known] == [second.value, first.value]
    assert [one.ends_at for one in known] == [None, NOW + hour]
    during, after = (
        signed_headers("id", "{}", known, now=NOW + timedelta(minutes=minutes))
        for minutes in (59, 60)
    )
    assert len(during["webhook-signature"].split()) == 2
    assert len(after["webhook-signature"].split()) == 1
    later = rotated(known, new_secret(), now=NOW + 2 * hour, overlap=hour)
    assert first.value not in [one.value for one in later]
    for _ in range(20):
        known = rotated(known, new_secret(), now=NOW, overlap=hour)
    assert len(known) == 5


def test_secret_is_not_shown_by_repr() -> None:
    assert "abc" not in repr(SigningSecret("whsec_abc"))
    assert new_secret() != new_secret()


def test_timestamp_is_of_the_attempt() -> None:
    now = utc_now()
    headers = signed_headers("id", "{}", [new_secret()], now=now)
    assert headers["webhook-timestamp"] == str(int(now.timestamp()))
