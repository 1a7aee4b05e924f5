"""A matcher over real HTTP and MongoDB; its neighbours record what they are told."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI, HTTPException, Request

from srpitp_contracts.identifiers import derived_id, detected_id, sighting_id
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import UNTAGGED, Collection
from srpitp_servicekit.mongo import Database
from tests.deadlines import eventually
from tests.keys import ADMIN_KEY, SERVICE_KEY, bearer
from tests.serving import Running


def fingerprint(seed: int) -> bytes:
    return np.random.default_rng(seed).integers(0, 256, 180, dtype=np.uint8).tobytes()


def altered(original: bytes, share: float, seed: int = 0) -> bytes:
    """A fingerprint in which about ``share`` of the bytes are others."""
    rng = np.random.default_rng(seed)
    row = np.frombuffer(original, np.uint8).copy()
    places = rng.random(180) < share
    row[places] = rng.integers(0, 256, int(places.sum()), dtype=np.uint8)
    return row.tobytes()


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
            "views": [{"name": "whole", "fingerprint": view, "sketch": bytes(32)}],
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
            "views": [{"name": "whole", "fingerprint": view, "sketch": bytes(32)}],
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

    async def ready(self) -> None:
        """Wait until the protected images are loaded."""

        async def is_ready() -> bool:
            return (await self.http.get("/health/ready")).is_success

        await eventually(is_ready)

    async def settled(self) -> None:
        """Wait until nothing is left to be told."""

        async def nothing_waits() -> bool:
            return not await self.db[Collection.OUTBOX].count_documents({"sent_at": None})

        await eventually(nothing_waits)


@asynccontextmanager
async def a_world(
    db: Database,
    running: Running,
    monkeypatch: pytest.MonkeyPatch,
    create: Callable[[], FastAPI],
) -> AsyncIterator[World]:
    """Serve a matcher and its neighbours; it is made once its environment names them."""
    neighbours = Neighbours()
    async with running(neighbours.app()) as url:
        monkeypatch.setenv("SRPITP_CRAWLER_URL", url)
        monkeypatch.setenv("SRPITP_NOTIFICATION_URL", url)
        async with (
            running(create()) as matcher,
            httpx.AsyncClient(base_url=matcher, headers=bearer(ADMIN_KEY), timeout=30) as http,
        ):
            world = World(http, db, neighbours)
            await world.ready()
            yield world
