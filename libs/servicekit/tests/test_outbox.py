import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest
from asgi_correlation_id import correlation_id
from fastapi import FastAPI, Request, Response

from srpitp_contracts.matching import ProtectedEvent
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import Collection, ServiceName
from srpitp_servicekit import outbox as outbox_module
from srpitp_servicekit.embedded import free_port
from srpitp_servicekit.mongo import Database, Document, Session, ensure_indexes, transaction
from srpitp_servicekit.outbox import OUTBOX_INDEXES, OnSent, Outbox, asked_seconds, backoff_seconds
from srpitp_servicekit.peers import Peers, open_peers
from srpitp_servicekit.settings import ServiceSettings
from tests.deadlines import eventually
from tests.keys import SERVICE_KEY
from tests.serving import Running


@dataclass
class Receiver:
    """The matcher, as far as a sender can tell."""

    received: list[str] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    """To answer with, before all is well."""
    body: bytes = b'{"compared": 1}'

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.put("/v1/{path:path}")
        async def take(path: str, request: Request) -> Response:
            self.received.append(path)
            self.requests.append({"headers": request.headers, "json": await request.json()})
            status = self.statuses.pop(0) if self.statuses else 200
            return Response(self.body, status, media_type="application/json")

        return app

    async def got(self, path: str, times: int) -> None:
        async def so() -> bool:
            return self.received.count(path) >= times

        await eventually(so)
        assert self.received.count(path) == times


@dataclass
class Sender:
    """A service's outbox, and what it does with answers."""

    db: Database
    peers: Peers
    answers: list[tuple[str, Any]] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    def outbox(self, on_sent: OnSent | None = None) -> Outbox:
        handlers = {"protected": on_sent or self.note}
        return Outbox(self.db, ServiceName.REGISTRATION, self.peers, on_sent=handlers)

    async def note(self, key: str, answer: Any) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.answers.append((key, answer))

    async def add(self, outbox: Outbox, key: str, **options: Any) -> None:
        await transaction(self.db, lambda session: tell(outbox, session, key, **options))

    async def message(self) -> Document:
        found = await self.db[Collection.OUTBOX].find_one({})
        assert found
        return found


def answered(status: int, retry_after: str) -> httpx.HTTPStatusError:
    request = httpx.Request("PUT", "http://matcher")
    response = httpx.Response(status, headers={"Retry-After": retry_after}, request=request)
    return httpx.HTTPStatusError("", request=request, response=response)


async def tell(outbox: Outbox, session: Session, key: str, **options: Any) -> None:
    await outbox.add(
        session,
        to=ServiceName.MATCHER,
        subject="protected",
        key=key,
        path=f"/v1/protected/{key}",
        body=ProtectedEvent(tag="a"),
        **options,
    )


async def sent(outbox: Outbox) -> None:
    async def all_sent() -> bool:
        return not await outbox.pending()

    await eventually(all_sent)


@pytest.fixture
def port(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> int:
    port = free_port()
    monkeypatch.setenv("SRPITP_MATCHER_URL", f"http://127.0.0.1:{port}")
    return port


@pytest.fixture
async def sender(port: int, db: Database) -> AsyncIterator[Sender]:
    await ensure_indexes(db, OUTBOX_INDEXES)
    async with open_peers(ServiceSettings()) as peers:
        yield Sender(db, peers)


@pytest.fixture
async def receiver(port: int, running: Running) -> AsyncIterator[Receiver]:
    receiver = Receiver()
    async with running(receiver.app(), port=port):
        yield receiver


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "_LEASE", timedelta(seconds=1))
    monkeypatch.setattr(outbox_module, "_FIRST_DELAY_SECONDS", 0.05)


async def test_message_is_sent_once_and_its_answer_taken(
    sender: Sender, receiver: Receiver
) -> None:
    outbox = sender.outbox()
    token = correlation_id.set("the-request")
    await sender.add(outbox, "1")
    correlation_id.reset(token)
    async with outbox.running():
        await sent(outbox)
    await receiver.got("protected/1", 1)
    assert sender.answers == [("1", {"compared": 1})]
    [request] = receiver.requests
    assert request["json"] == {"tag": "a"}
    assert request["headers"]["authorization"] == f"Bearer {SERVICE_KEY}"
    assert request["headers"]["x-request-id"] == "the-request"
    assert (await sender.message())["sent_at"]


async def test_message_of_an_aborted_transaction_was_never_there(
    sender: Sender, receiver: Receiver
) -> None:
    outbox = sender.outbox()

    async def fails(session: Session) -> None:
        await tell(outbox, session, "1")
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        await transaction(sender.db, fails)
    assert await sender.db[Collection.OUTBOX].count_documents({}) == 0
    await sender.add(outbox, "2")
    async with outbox.running():
        await sent(outbox)
    assert receiver.received == ["protected/2"]


async def test_telling_the_same_again_sends_once(sender: Sender, receiver: Receiver) -> None:
    outbox = sender.outbox()
    await asyncio.gather(*(sender.add(outbox, "1") for _ in range(5)))
    async with outbox.running():
        await sent(outbox)
        await sender.add(outbox, "1")
        outbox.wake()
        await sender.add(outbox, "2")
        await sent(outbox)
    assert Counter(receiver.received) == {"protected/1": 1, "protected/2": 1}


@pytest.mark.usefixtures("impatient")
async def test_message_is_sent_again_until_it_is_taken(sender: Sender, receiver: Receiver) -> None:
    receiver.statuses = [500, 404, 302, 429]
    outbox = sender.outbox()
    await sender.add(outbox, "1")
    async with outbox.running():
        await sent(outbox)
    await receiver.got("protected/1", 5)
    assert len(sender.answers) == 1
    message = await sender.message()
    assert (message["attempts"], message["last_error"]) == (5, None)


@pytest.mark.usefixtures("impatient")
async def test_receiver_that_is_down_gets_it_when_it_is_up(
    port: int, sender: Sender, running: Running
) -> None:
    outbox = sender.outbox()
    await sender.add(outbox, "1")
    receiver = Receiver()

    async def was_tried() -> bool:
        return bool((await sender.message())["last_error"])

    async with outbox.running():
        await eventually(was_tried)
        assert (await sender.message())["last_error"].startswith("ConnectError")
        async with running(receiver.app(), port=port):
            await sent(outbox)
    assert receiver.received == ["protected/1"]


@pytest.mark.usefixtures("impatient")
async def test_killed_between_the_sending_and_its_mark_sends_again(
    sender: Sender, receiver: Receiver
) -> None:
    reached = asyncio.Event()

    async def dies(key: str, answer: Any) -> None:
        reached.set()
        await asyncio.Event().wait()

    outbox = sender.outbox(on_sent=dies)
    await sender.add(outbox, "1")
    async with outbox.running():
        await reached.wait()
    assert await outbox.pending() == 1
    after = sender.outbox()
    async with after.running():
        await sent(after)
    await receiver.got("protected/1", 2)
    assert sender.answers == [("1", {"compared": 1})]


@pytest.mark.usefixtures("impatient")
async def test_answer_that_cannot_be_taken_is_asked_for_again(
    sender: Sender, receiver: Receiver
) -> None:
    sender.errors = [ValueError("not what was expected"), KeyError("matches")]
    outbox = sender.outbox()
    await sender.add(outbox, "1")
    async with outbox.running():
        await sent(outbox)
    await receiver.got("protected/1", 3)
    assert len(sender.answers) == 1


@pytest.mark.usefixtures("impatient")
async def test_answer_that_is_no_json_is_an_error_with_a_name(
    sender: Sender, receiver: Receiver
) -> None:
    receiver.body = b"<html>"
    outbox = sender.outbox()
    await sender.add(outbox, "1")

    async def was_tried() -> bool:
        return bool((await sender.message())["last_error"])

    async with outbox.running():
        await eventually(was_tried)
        assert "matcher did not answer with JSON" in (await sender.message())["last_error"]
        receiver.body = b""
        await sent(outbox)
    assert sender.answers == [("1", None)]


async def test_message_waits_for_its_moment(sender: Sender, receiver: Receiver) -> None:
    outbox = sender.outbox()
    moment = utc_now() + timedelta(seconds=1)
    await sender.add(outbox, "later", not_before=moment)
    await sender.add(outbox, "now", not_before=utc_now() - timedelta(days=1))
    async with outbox.running():
        await sent(outbox)
    assert utc_now() >= moment
    assert receiver.received == ["protected/now", "protected/later"]


async def test_service_sends_its_own_messages_only(sender: Sender, receiver: Receiver) -> None:
    mine = sender.outbox()
    other = Outbox(sender.db, ServiceName.CRAWLER, sender.peers)
    await sender.add(mine, "1")
    await sender.add(other, "1")
    async with mine.running():
        await sent(mine)
    assert (await mine.pending(), await other.pending()) == (0, 1)
    assert receiver.received == ["protected/1"]


async def test_two_processes_of_a_service_send_each_message_once(
    sender: Sender, receiver: Receiver
) -> None:
    one, two = sender.outbox(), sender.outbox()
    for key in range(30):
        await sender.add(one, str(key))
    async with one.running(), two.running():
        await sent(one)
    assert Counter(receiver.received) == {f"protected/{key}": 1 for key in range(30)}


def test_backoff_grows_to_its_bound_with_jitter() -> None:
    assert 0.25 <= backoff_seconds(1) <= 0.5
    assert 2 <= backoff_seconds(4) <= 4
    assert all(150 <= backoff_seconds(attempts) <= 300 for attempts in (12, 100, 10_000))
    assert len({backoff_seconds(5) for _ in range(10)}) > 1


@pytest.mark.parametrize(
    ("header", "shortest", "longest"), [("600", 600, 750), ("7200", 3600, 4500)]
)
def test_a_receiver_that_is_busy_for_long_is_left_alone(
    header: str, shortest: float, longest: float
) -> None:
    asked = asked_seconds(answered(503, header))
    assert asked is not None
    assert shortest <= asked <= longest


@pytest.mark.parametrize("error", [OSError(), *(answered(503, it) for it in ("", "5", "soon"))])
def test_a_receiver_that_is_away_for_a_moment_is_told_again_soon(error: Exception) -> None:
    assert asked_seconds(error) is None
