"""The notification service over real HTTP and MongoDB, with a real receiver of webhooks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from services.notification.main import create_app
from services.notification.settings import Settings
from srpitp_contracts.identifiers import random_id
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import UNTAGGED
from srpitp_contracts.registration import Scope
from srpitp_servicekit.mongo import Database
from tests.deadlines import eventually
from tests.keys import SERVICE_KEY, add_key, bearer
from tests.services.notification.receiver import Receiver
from tests.serving import Running


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
