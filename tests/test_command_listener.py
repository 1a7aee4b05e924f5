from typing import Any

import pytest

from srpitp_contracts.names import Collection, JobName, ServiceName
from srpitp_servicekit.mongo import Database, IndexModel, open_database
from srpitp_servicekit.settings import ServiceSettings
from tests.command_listener import violations

SET = {"$set": {"state": "x"}}


def update(collection: str, q: dict[str, Any], u: Any = SET, **options: Any) -> list[str]:
    return violations("update", {"update": collection, "updates": [{"q": q, "u": u, **options}]})


def delete(collection: str, q: dict[str, Any], limit: int) -> list[str]:
    return violations("delete", {"delete": collection, "deletes": [{"q": q, "limit": limit}]})


@pytest.mark.parametrize(
    "fine",
    [
        update("protected", {"tag": "a", "_id": "1"}),
        update("protected", {"tag": {"$eq": "a"}, "$and": [{"_id": "1"}]}, upsert=True),
        update("protected", {"tag": "a", "_id": "1"}, {"tag": "a", "_id": "1", "title": "t"}),
        update("owners", {"name": "x"}),
        update("deliveries", {"subscription_id": "1", "state": "waiting"}, multi=True),
        update("detected", {"tag": "a", "_id": {"$in": ["1", "2"]}, "state": "x"}, multi=True),
        delete("sightings", {"image_id": "1"}, 0),
        violations("insert", {"insert": "matches", "documents": [{"owner_id": "o", "_id": "1"}]}),
        violations(
            "createIndexes",
            {
                "createIndexes": "matches",
                "indexes": [{"key": {"owner_id": 1, "_id": 1}, "name": "n", "unique": True}],
            },
        ),
        violations("find", {"find": "protected", "filter": {}}),
        violations("update", {"update": "matches", "updates": []}, ServiceName.MATCHER),
        violations("update", {"update": "runs", "updates": []}, JobName.SPARK),
    ],
)
def test_takes_what_a_cluster_takes(fine: list[str]) -> None:
    assert fine == []


@pytest.mark.parametrize(
    "refused",
    [
        update("protected", {"_id": "1"}),
        update("protected", {"tag": {"$in": ["a"]}, "_id": "1"}),
        update("protected", {"$or": [{"tag": "a", "_id": "1"}]}),
        update("protected", {"tag": "a", "_id": "1"}, {"$set": {"tag": "b"}}),
        update("protected", {"tag": "a", "_id": "1"}, [{"$set": {"tag": "b"}}]),
        update("protected", {"tag": "a", "_id": "1"}, {"tag": "b", "title": "t"}),
        update("protected", {"tag": "a", "_id": "1"}, {"$unset": {"tag": ""}}),
        update("deliveries", {"state": "waiting"}, multi=True),
        update("detected", {"tag": "a", "_id": {"$gte": "1"}}, multi=True),
        update("detected", {"tag": "a", "_id": {"$in": ["1", "2"]}}),
        update("detected", {"tag": "a", "_id": {"$in": ["1"]}}, multi=True, upsert=True),
        update("deliveries", {"subscription_id": "1"}),
        update("deliveries", {"subscription_id": "1"}, multi=True, upsert=True),
        delete("detected", {"tag": "a"}, 1),
        delete("detected", {"_id": "1"}, 0),
        violations("findAndModify", {"findAndModify": "outbox", "query": {"sender": "x"}}),
        violations("insert", {"insert": "matches", "documents": [{"_id": "1"}]}),
        violations(
            "createIndexes",
            {
                "createIndexes": "detected",
                "indexes": [{"key": {"digest": 1}, "name": "n", "unique": True}],
            },
        ),
        violations("insert", {"insert": "matches", "documents": []}, ServiceName.CRAWLER),
        violations("insert", {"insert": "outbox", "documents": []}, JobName.SPARK),
    ],
)
def test_refuses_what_a_cluster_refuses(refused: list[str]) -> None:
    assert len(refused) == 1


async def test_sees_what_a_service_really_sends(db: Database, noted_violations: list[str]) -> None:
    settings = ServiceSettings()
    async with open_database(settings, service=ServiceName.CRAWLER) as crawlers:
        await crawlers[Collection.PROTECTED].update_one({"_id": "1"}, SET)
        await crawlers[Collection.DETECTED].delete_many({"state": "searched"})
        await crawlers[Collection.DETECTED].find_one_and_update({"_id": "1"}, SET)
        await crawlers[Collection.DETECTED].create_indexes([IndexModel("digest", unique=True)])
    found = "\n".join(noted_violations)
    noted_violations.clear()
    assert "crawler is not a writer of protected" in found
    for command in ("update protected", "delete detected", "findAndModify detected", "unique"):
        assert command in found
