import asyncio
from pathlib import Path

import pytest
from pymongo.errors import AutoReconnect, DuplicateKeyError, OperationFailure

from srpitp_contracts.alerting import Subscription
from srpitp_contracts.crawling import Evidence
from srpitp_contracts.events import EventType
from srpitp_contracts.fingerprints import View
from srpitp_contracts.model import Model, UtcTime, utc_now
from srpitp_contracts.names import Collection, ServiceName
from srpitp_servicekit import mongo
from srpitp_servicekit.embedded import free_port, start_mongod, stop, wait_for_primary
from srpitp_servicekit.mongo import (
    ASCENDING,
    Database,
    IndexModel,
    PyMongoError,
    Session,
    ensure_indexes,
    from_document,
    is_unavailable,
    open_database,
    to_document,
    transaction,
)
from srpitp_servicekit.settings import ServiceSettings
from tests.deadlines import eventually

INDEXES = {Collection.SITES: [IndexModel([("name", ASCENDING)], name="name")]}


class Everything(Model):
    id: str
    type: EventType
    names: frozenset[str]
    pairs: tuple[tuple[str, int], ...]
    views: list[View]
    evidence: Evidence
    seen: UtcTime
    gone: UtcTime | None


EVERYTHING = Everything(
    id="1",
    type=EventType.PING,
    names=frozenset({"b", "a"}),
    pairs=(("x", 1), ("y", 2)),
    views=[View(name="whole", fingerprint=bytes(range(180)), sketch=bytes(32))],
    evidence=Evidence(
        storage_address="x", status=200, headers={"a.b": "c", "$d": "e"}, fetched_at=utc_now()
    ),
    seen=utc_now(),
    gone=None,
)


async def test_model_comes_back_from_the_store_as_it_was(db: Database) -> None:
    document = to_document(EVERYTHING)
    assert document["_id"] == "1"
    assert "id" not in document
    assert document["names"] == ["a", "b"]
    assert type(document["type"]) is str
    await db[Collection.SITES].insert_one(document | {"lease": "of no model"})
    found = await db[Collection.SITES].find_one({"_id": "1"})
    assert found
    assert from_document(Everything, found) == EVERYTHING


async def test_model_without_id_is_a_document_too() -> None:
    view = EVERYTHING.views[0]
    assert from_document(View, to_document(view)) == view


def test_field_that_a_model_gained_has_its_default() -> None:
    document = {
        "_id": "1",
        "owner_id": "o",
        "address": "http://a.example",
        "event_types": ["ping"],
        "image_ids": [],
        "created_at": utc_now(),
        "secrets": ["not in the model"],
    }
    subscription = from_document(Subscription, document)
    assert subscription.disabled_at is None
    assert "secrets" not in subscription.model_dump()


async def test_transactions_that_meet_are_run_again(db: Database) -> None:
    counters = db[Collection.SITES]
    await counters.insert_one({"_id": "c", "count": 0})
    runs = 0

    async def increase(session: Session) -> None:
        nonlocal runs
        runs += 1
        found = await counters.find_one({"_id": "c"}, session=session)
        assert found
        await asyncio.sleep(0.01)
        count = {"$set": {"count": found["count"] + 1}}
        await counters.update_one({"_id": "c"}, count, session=session)

    await asyncio.gather(*(transaction(db, increase) for _ in range(8)))
    found = await counters.find_one({"_id": "c"})
    assert found
    assert found["count"] == 8
    assert runs > 8


async def test_transaction_is_all_or_nothing_and_gives_its_result(db: Database) -> None:
    async def work(session: Session, *, fails: bool) -> str:
        await db[Collection.SITES].insert_one({"_id": f"a{fails}"}, session=session)
        await db[Collection.CRAWLS].insert_one({"_id": f"b{fails}"}, session=session)
        if fails:
            raise ValueError("no")
        return "done"

    await ensure_indexes(db, {Collection.SITES: [], Collection.CRAWLS: []})
    assert await transaction(db, lambda session: work(session, fails=False)) == "done"
    with pytest.raises(ValueError, match="no"):
        await transaction(db, lambda session: work(session, fails=True))
    assert await db[Collection.SITES].count_documents({}) == 1
    assert await db[Collection.CRAWLS].count_documents({}) == 1


async def test_indexes_may_be_made_by_many_at_once(db: Database) -> None:
    await asyncio.gather(*(ensure_indexes(db, INDEXES) for _ in range(5)))
    assert "name" in await db[Collection.SITES].index_information()


async def test_index_that_cannot_be_is_an_error_at_the_start(settings: ServiceSettings) -> None:
    async with open_database(settings, INDEXES):
        pass
    other = {Collection.SITES: [IndexModel([("other", ASCENDING)], name="name")]}
    with pytest.raises(OperationFailure):
        async with open_database(settings, other):
            pass


async def test_connections_say_whose_they_are(db: Database, settings: ServiceSettings) -> None:
    async with open_database(settings, service=ServiceName.MATCHER) as opened:
        await mongo.ping(opened)
        # currentOp as a command leaves out connections that do nothing at the moment.
        stage = {"$currentOp": {"allUsers": True, "idleConnections": True}}
        found = db.client.admin.aggregate([stage])
        names = {operation.get("appName") async for operation in found}
    assert "srpitp-matcher" in names


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (AutoReconnect("gone"), True),
        (OperationFailure("x", details={"errorLabels": ["TransientTransactionError"]}), True),
        (OperationFailure("x"), False),
        (DuplicateKeyError("x"), False),
    ],
)
def test_what_means_that_mongodb_is_away(error: PyMongoError, away: bool) -> None:
    assert is_unavailable(error) is away


async def test_service_starts_before_mongodb_and_outlives_its_restart(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setenv("SRPITP_MONGODB_URI", f"mongodb://127.0.0.1:{port}/?replicaSet=srpitp")
    monkeypatch.setenv("SRPITP_MONGODB_TIMEOUT_SECONDS", "0.3")

    async with open_database(ServiceSettings(), INDEXES) as db:

        async def is_there() -> bool:
            try:
                await mongo.ping(db)
            except PyMongoError as error:
                return not is_unavailable(error)
            return True

        async def is_indexed() -> bool:
            return "name" in await db[Collection.SITES].index_information()

        assert not await is_there()
        for _ in range(2):
            process = start_mongod(tmp_path, port)
            try:
                await asyncio.to_thread(wait_for_primary, process, tmp_path, port)
                await eventually(is_there)
                await eventually(is_indexed)
            finally:
                await asyncio.to_thread(stop, process)
            assert not await is_there()
