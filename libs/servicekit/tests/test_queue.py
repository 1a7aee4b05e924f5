import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from srpitp_contracts.identifiers import random_id
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import Collection
from srpitp_servicekit.mongo import Database, Document, DocumentCollection, ensure_indexes
from srpitp_servicekit.queue import QUEUE_INDEX, DueQueue, waiting_fields
from tests.deadlines import eventually

LONG, SHORT = timedelta(minutes=1), timedelta(milliseconds=300)


@pytest.fixture
async def work(db: Database) -> DocumentCollection:
    await ensure_indexes(db, {Collection.OUTBOX: [QUEUE_INDEX]})
    return db[Collection.OUTBOX]


async def add(work: DocumentCollection, **fields: Any) -> str:
    id_ = random_id()
    await work.insert_one({"_id": id_, **waiting_fields(), **fields})
    return id_


async def claimed(queue: DueQueue) -> Document:
    found: list[Document] = []

    async def due() -> bool:
        document = await queue.claim()
        found.extend([document] if document else [])
        return bool(found)

    await eventually(due)
    return found[0]


async def test_claim_takes_what_is_due_the_oldest_first(work: DocumentCollection) -> None:
    now = utc_now()
    new = await add(work, due_at=now - timedelta(seconds=1))
    old = await add(work, due_at=now - timedelta(seconds=2))
    await add(work, due_at=now + timedelta(hours=1))
    await add(work, due_at=None)
    queue = DueQueue(work, lease=LONG)
    claims = [await queue.claim() for _ in range(3)]
    assert [one and one["_id"] for one in claims] == [old, new, None]
    assert claims[0]
    assert claims[0]["attempts"] == 1
    assert claims[0]["due_at"] > now + LONG / 2


async def test_claim_keeps_to_its_filters(work: DocumentCollection) -> None:
    mine = await add(work, sender="me", kind="a")
    await add(work, sender="me", kind="b")
    await add(work, sender="you", kind="a")
    queue = DueQueue(work, lease=LONG, only={"sender": "me"})
    first = await queue.claim({"kind": {"$nin": ["b"]}})
    assert first
    assert first["_id"] == mine
    assert await queue.claim({"kind": {"$nin": ["b"]}}) is None
    assert await queue.claim()
    assert await queue.claim() is None


async def test_counter_can_be_another_field(work: DocumentCollection) -> None:
    await add(work, attempts=[], claims=0)
    document = await DueQueue(work, lease=LONG, counter="claims").claim()
    assert document
    assert (document["claims"], document["attempts"]) == (1, [])


async def test_claimers_race_and_each_document_is_claimed_once(work: DocumentCollection) -> None:
    ids = {await add(work) for _ in range(40)}
    queues = [DueQueue(work, lease=LONG) for _ in range(8)]
    counts = Counter[str]()

    async def claim_all(queue: DueQueue) -> None:
        while await work.count_documents({"lease": None}):
            if document := await queue.claim():
                counts[document["_id"]] += 1

    await asyncio.gather(*map(claim_all, queues))
    assert counts == Counter(ids)


async def test_work_of_one_that_was_killed_is_taken_over(work: DocumentCollection) -> None:
    await add(work)
    queue = DueQueue(work, lease=SHORT)
    lost = await queue.claim()
    assert lost
    assert await queue.claim() is None
    taken = await claimed(queue)
    assert taken["_id"] == lost["_id"]
    assert taken["lease"] != lost["lease"]
    assert taken["attempts"] == 2


async def test_lost_lease_writes_nothing(work: DocumentCollection) -> None:
    await add(work)
    queue = DueQueue(work, lease=SHORT)
    lost = await queue.claim()
    assert lost
    taken = await claimed(DueQueue(work, lease=LONG))
    assert not await queue.renew(lost)
    assert not await queue.complete(lost, {"note": "mine"})
    assert not await queue.retry(lost, LONG, {"note": "mine"})
    assert await work.find_one({"_id": lost["_id"]}) == taken


async def test_held_work_is_not_taken_over(work: DocumentCollection) -> None:
    await add(work)
    queue = DueQueue(work, lease=SHORT)
    mine = await queue.claim()
    assert mine
    async with queue.holding(mine):
        deadline = mine["due_at"] + 3 * SHORT
        while utc_now() < deadline:
            assert await queue.claim() is None
            await asyncio.sleep(0.02)
        assert await queue.complete(mine, {"note": "done"})
    done = await work.find_one({"_id": mine["_id"]})
    assert done
    assert (done["due_at"], done["lease"], done["note"]) == (None, None, "done")
    assert await queue.claim() is None


async def test_retry_is_due_after_its_delay(work: DocumentCollection) -> None:
    await add(work)
    queue = DueQueue(work, lease=LONG)
    mine = await queue.claim()
    assert mine
    before = utc_now()
    assert await queue.retry(mine, SHORT, {"note": "later"})
    assert await queue.claim() is None
    again = await claimed(queue)
    assert utc_now() - before >= SHORT
    assert (again["note"], again["attempts"]) == ("later", 2)


async def test_claim_reads_the_index_and_not_what_is_done(work: DocumentCollection) -> None:
    await work.insert_many([{"_id": random_id(), "due_at": None} for _ in range(200)])
    await add(work)
    await work.database.command("profile", 2, filter={"op": "query", "ns": work.full_name})
    assert await DueQueue(work, lease=LONG).claim()
    await work.database.command("profile", 0)
    query = await work.database["system.profile"].find_one(
        {"command.filter.due_at.$lte": {"$exists": True}}
    )
    assert query
    assert query["planSummary"] == "IXSCAN { due_at: 1 }"
    assert query["docsExamined"] == 1
