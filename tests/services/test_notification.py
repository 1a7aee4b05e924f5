"""The notification service over real HTTP and MongoDB, with a real receiver of webhooks."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from services.notification.main import create_app
from services.notification.settings import Settings
from srpitp_contracts.identifiers import derived_id, random_id
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import UNTAGGED, Collection
from srpitp_contracts.registration import Scope
from srpitp_servicekit.auth import hash_secret, new_secret
from srpitp_servicekit.mongo import Database
from tests.conftest import ADMIN_KEY, SERVICE_KEY
from tests.deadlines import eventually
from tests.services.conftest import Running

Reply = Callable[[asyncio.StreamWriter], Awaitable[None]]


def answer(status: int, body: str = "", **headers: str) -> Reply:
    """Return a reply with a status, a body and headers (``Retry_After`` for ``Retry-After``)."""

    async def reply(writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body.encode())}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", body]).encode())
        await writer.drain()

    return reply


async def hang(writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def drop(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


@dataclass
class Arrival:
    webhook_id: str
    headers: dict[str, str]
    body: bytes

    def is_signed_by(self, secret: str) -> dict[str, Any]:
        event: dict[str, Any] = Webhook(secret).verify(self.body, self.headers)
        return event


@dataclass
class Receiver:
    """Subscribers, one for each path: what came, and what to reply next (200 when unsaid)."""

    port: int = 0
    arrivals: defaultdict[str, list[Arrival]] = field(default_factory=lambda: defaultdict(list))
    replies: defaultdict[str, list[Reply]] = field(default_factory=lambda: defaultdict(list))
    always: dict[str, Reply] = field(default_factory=dict)

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = set[asyncio.Task[None]]()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task
            tasks.add(task)
            try:
                await self._serve(reader, writer)
            finally:
                tasks.discard(task)
                writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield
            for task in list(tasks):
                task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        except asyncio.IncompleteReadError:
            return
        path = head[0].split()[1]
        pairs = (line.split(": ", 1) for line in head[1:] if line)
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers["content-length"]))
        self.arrivals[path].append(Arrival(headers["webhook-id"], headers, body))
        waiting = self.replies[path]
        reply = waiting.pop(0) if waiting else self.always.get(path, answer(200))
        await reply(writer)

    async def got(self, path: str, count: int) -> list[Arrival]:
        """Wait for that many arrivals."""

        async def enough() -> bool:
            return len(self.arrivals[path]) >= count

        await eventually(enough)
        assert len(self.arrivals[path]) == count
        return self.arrivals[path]


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def a_match(owner_id: str, protected_id: str = "photo") -> dict[str, Any]:
    now = utc_now().isoformat()
    return {
        "id": random_id(),
        "owner_id": owner_id,
        "protected_id": protected_id,
        "protected_title": "Cliffs at dusk",
        "protected_digest": "a" * 64,
        "detected_id": random_id(),
        "detected_digest": "b" * 64,
        "detected_tag": UNTAGGED,
        "image_address": "http://thief.example/copy.jpg",
        "tag": UNTAGGED,
        "verdict": "exact",
        "distance": 0.0,
        "decision_distance": 0.1,
        "threshold": 0.4,
        "state": "confirmed",
        "decided_by": "rule:exact",
        "decided_at": now,
        "note": "",
        "created_at": now,
        "sightings": [
            {
                "id": random_id(),
                "image_id": random_id(),
                "site_id": "site",
                "page_address": "http://thief.example/",
                "page_title": "Ünïcode",
                "uploader": {"value": "thief", "source": "json-ld:author", "confidence": 0.9},
                "uploaded_at": None,
                "first_seen": now,
                "last_seen": now,
            }
        ],
    }


@dataclass
class World:
    """The service, its database, its receiver, and the keys of two owners and a reviewer."""

    http: httpx.AsyncClient
    db: Database
    receiver: Receiver
    alice: str
    bob: str
    reviewer: str

    async def call(
        self, method: str, path: str, key: str = "", expect: int = 200, **options: Any
    ) -> Any:
        headers = bearer(key or self.alice) | options.pop("headers", {})
        response = await self.http.request(method, f"/v1{path}", headers=headers, **options)
        assert response.status_code == expect, response.text
        return response.json() if response.content else None

    async def subscribe(self, path: str = "/hook", key: str = "", **fields: Any) -> dict[str, Any]:
        body = {"address": self.receiver.address(path), **fields}
        made: dict[str, Any] = await self.call("POST", "/subscriptions", key, expect=201, json=body)
        return made

    async def alert(
        self,
        owner_id: str = "alice",
        alert_id: str = "",
        protected_id: str = "photo",
        event: str = "match.confirmed",
    ) -> dict[str, Any]:
        body = {
            "type": event,
            "owner_id": owner_id,
            "match": a_match(owner_id, protected_id),
        }
        taken: dict[str, Any] = await self.call(
            "PUT", f"/alerts/{alert_id or random_id()}", SERVICE_KEY, json=body
        )
        return taken

    async def deliveries(self, key: str = "", **filters: str) -> list[dict[str, Any]]:
        page = await self.call("GET", "/deliveries", key, params=filters)
        items: list[dict[str, Any]] = page["items"]
        return items

    async def ended(self, alert_id: str, state: str = "delivered") -> dict[str, Any]:
        """Wait until the one delivery of an alert has come to its end."""

        async def so() -> bool:
            [delivery] = await self.deliveries(alert_id=alert_id)
            return bool(delivery["state"] == state)

        await eventually(so)
        [delivery] = await self.deliveries(alert_id=alert_id)
        return delivery


async def add_key(db: Database, owner_id: str | None, *scopes: Scope) -> str:
    secret = new_secret()
    await db[Collection.API_KEYS].insert_one(
        {
            "_id": random_id(),
            "hash": hash_secret(secret),
            "owner_id": owner_id,
            "scopes": [str(scope) for scope in scopes],
            "revoked_at": None,
        }
    )
    return secret


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    async with receiver.running():
        yield receiver


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A schedule of three attempts for those without patience."""
    monkeypatch.setenv("SRPITP_DELIVERY_SCHEDULE_SECONDS", "[0, 0.05, 0.1]")
    monkeypatch.setenv("SRPITP_DELIVERY_TIMEOUT_SECONDS", "1")
    monkeypatch.setenv("SRPITP_DELIVERY_LEASE_SECONDS", "2")


@asynccontextmanager
async def a_world(db: Database, receiver: Receiver, running: Running) -> AsyncIterator[World]:
    async with (
        running(create_app(Settings())) as url,
        httpx.AsyncClient(base_url=url, timeout=20) as http,
    ):
        yield World(
            http,
            db,
            receiver,
            alice=await add_key(db, "alice", Scope.OWNER),
            bob=await add_key(db, "bob", Scope.OWNER),
            reviewer=await add_key(db, None, Scope.REVIEWER),
        )


@pytest.fixture
async def world(
    quick: None, db: Database, receiver: Receiver, running: Running
) -> AsyncIterator[World]:
    async with a_world(db, receiver, running) as world:
        yield world


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


async def test_secret_is_shown_once_and_never_logged(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    world.receiver.replies["/hook"] = [answer(500), drop]
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
