"""The matcher over real HTTP and MongoDB; its neighbours record what they are told."""

from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, HTTPException, Request

from services.matcher.main import create_app
from services.matcher.settings import Settings
from srpitp_contracts.identifiers import derived_id, detected_id, match_id, sighting_id
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import UNTAGGED, Collection
from srpitp_contracts.registration import Scope
from srpitp_servicekit.auth import hash_secret, new_secret
from srpitp_servicekit.mongo import Database
from tests.conftest import ADMIN_KEY, SERVICE_KEY
from tests.deadlines import eventually
from tests.services.conftest import Running
from tests.services.test_matcher_engine import altered, fingerprint

NOW = utc_now()
ORIGINAL = fingerprint(1)
PAGE = "http://site.example/page.html"


def digest(name: str) -> str:
    return derived_id(name) * 2


@dataclass
class Neighbours:
    """The crawler and the notification service, as far as the matcher can tell."""

    told: defaultdict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    failures: int = 0

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.put("/{path:path}")
        async def take(path: str, request: Request) -> dict[str, Any]:
            if self.failures:
                self.failures -= 1
                raise HTTPException(503)
            assert request.headers["Authorization"] == f"Bearer {SERVICE_KEY}"
            self.told[path.removeprefix("v1/")].append(await request.json())
            return {}

        return app

    @property
    def alerts(self) -> list[dict[str, Any]]:
        return [body for path, bodies in self.told.items() if "alerts/" in path for body in bodies]


@dataclass
class World:
    """A matcher with its store and its neighbours."""

    http: httpx.AsyncClient
    db: Database
    neighbours: Neighbours

    async def protect(self, name: str, view: bytes, **changes: Any) -> str:
        document = {
            "_id": name,
            "owner_id": "owner",
            "title": f"Photo {name}",
            "digest": digest(name),
            "textureless": False,
            "tag": UNTAGGED,
            "views": [{"name": "whole", "fingerprint": view}],
            "protected_from": NOW - timedelta(days=1),
            "protected_until": None,
            "status": "active",
            "updated_at": utc_now(),
        } | changes
        key = {"tag": document["tag"], "_id": name}
        await self.db[Collection.PROTECTED].replace_one(key, document, upsert=True)
        return name

    async def detect(self, name: str, view: bytes, **changes: Any) -> str:
        address = f"http://site.example/{name}.jpg"
        image_id = detected_id(address, digest(name))
        document = {
            "_id": image_id,
            "tag": UNTAGGED,
            "tags": [{"tag": UNTAGGED, "confidence": 1.0}],
            "image_address": address,
            "digest": digest(name),
            "textureless": False,
            "views": [{"name": "whole", "fingerprint": view}],
        } | changes
        sighting = {
            "_id": sighting_id(image_id, PAGE),
            "image_id": image_id,
            "site_id": "site",
            "page_address": PAGE,
            "page_title": "A page",
            "uploader": {"value": "thief", "source": "json-ld:author", "confidence": 0.9},
            "uploaded_at": None,
            "first_seen": NOW,
            "last_seen": NOW,
        }
        await self.db[Collection.DETECTED].insert_one(document)
        await self.db[Collection.SIGHTINGS].insert_one(sighting)
        return image_id

    async def tell(self, kind: str, id_: str) -> list[str]:
        response = await self.http.put(
            f"/v1/{kind}/{id_}", json={"tag": UNTAGGED}, headers=bearer(SERVICE_KEY)
        )
        assert response.status_code == 200, response.text
        matches: list[str] = response.json()["matches"]
        return matches

    async def match(self, id_: str) -> dict[str, Any]:
        response = await self.http.get(f"/v1/matches/{id_}")
        assert response.status_code == 200, response.text
        body: dict[str, Any] = response.json()
        return body

    async def review(self, id_: str, decision: str) -> httpx.Response:
        return await self.http.post(
            f"/v1/matches/{id_}/review", json={"decision": decision, "note": "seen"}
        )

    async def settled(self) -> None:
        """Wait until nothing is left to be told."""

        async def nothing_waits() -> bool:
            return not await self.db[Collection.OUTBOX].count_documents({"sent_at": None})

        await eventually(nothing_waits)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
async def world(
    db: Database, running: Running, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    neighbours = Neighbours()
    async with running(neighbours.app()) as url:
        monkeypatch.setenv("SRPITP_CRAWLER_URL", url)
        monkeypatch.setenv("SRPITP_NOTIFICATION_URL", url)
        async with (
            running(create_app(Settings())) as matcher,
            httpx.AsyncClient(base_url=matcher, headers=bearer(ADMIN_KEY), timeout=30) as http,
        ):
            yield World(http, db, neighbours)


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
        keys[owner] = new_secret()
        await world.db[Collection.API_KEYS].insert_one(
            {
                "_id": owner,
                "hash": hash_secret(keys[owner]),
                "owner_id": owner,
                "scopes": [Scope.OWNER.value],
                "revoked_at": None,
            }
        )
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
