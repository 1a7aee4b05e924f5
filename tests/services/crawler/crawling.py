"""What stands around a crawler under test: photos, a matcher that notes, a client."""

import asyncio
import io
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import numpy as np
from fastapi import FastAPI
from PIL import Image

from tests.deadlines import eventually
from tests.keys import SERVICE_KEY, bearer

Json = dict[str, Any]


def photo(seed: int, *, size: tuple[int, int] = (320, 240)) -> bytes:
    """A picture with texture, unlike that of any other seed."""
    noise = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90)
    return file.getvalue()


class Matcher:
    """Takes what the crawler's outbox sends, and answers as it is told to."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.before_answer: Callable[[str], Awaitable[None]] | None = None
        self.app = FastAPI()
        self.app.put("/v1/detected/{detected_id}")(self.take)

    async def take(self, detected_id: str) -> Json:
        self.told.append(detected_id)
        if self.before_answer:
            await self.before_answer(detected_id)
        return {"compared": 1, "matches": []}


class Crawler:
    """A client of a running crawler service."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def get(self, path: str, **query: str) -> Any:
        response = await self.client.get(path, params=query)
        assert response.is_success, response.text
        return response.json()

    async def monitor(self, address: str, **options: Any) -> str:
        body = {"address": address, "interval_seconds": 86_400, **options}
        response = await self.client.post("/v1/sites", json=body)
        assert response.status_code == 201, response.text
        return str(response.json()["id"])

    async def crawl(self, site_id: str) -> Json:
        """Crawl now; return the crawl when it has ended."""
        response = await self.client.post(f"/v1/sites/{site_id}/crawls")
        assert response.status_code == 202, response.text
        return await self.end_of(response.json()["id"])

    async def end_of(self, crawl_id: str, *, seconds: float = 60) -> Json:
        crawl: Json = {}

        async def has_ended() -> bool:
            await asyncio.sleep(0.1)  # each question costs the machine that crawls
            crawl.update(await self.get(f"/v1/crawls/{crawl_id}"))
            return crawl["state"] in {"finished", "failed"}

        await eventually(has_ended, seconds=seconds)
        return crawl

    async def first_crawl(self, site_id: str) -> Json:
        """Return the scheduled crawl of a new site when it has ended."""
        crawls: list[Json] = []

        async def is_there() -> bool:
            crawls[:] = (await self.get("/v1/crawls", site_id=site_id))["items"]
            return bool(crawls)

        await eventually(is_there)
        return await self.end_of(crawls[0]["id"])

    async def retain(self, detected_id: str, *, tag: str | None = None) -> None:
        """Ask as the matcher asks, who knows the tag."""
        address = f"/v1/detected/{detected_id}/retained"
        headers = bearer(SERVICE_KEY)
        tag = tag or (await self.get(f"/v1/detected/{detected_id}"))["tag"]
        response = await self.client.put(address, json={"tag": tag}, headers=headers)
        assert response.status_code == 204, response.text

    async def detected(self, site_id: str) -> dict[str, Json]:
        """Return what was detected, with sightings, by image address."""
        items = (await self.get("/v1/detected", site_id=site_id))["items"]
        full = [await self.get(f"/v1/detected/{item['id']}") for item in items]
        return {item["image_address"]: item for item in full}


Opened = Callable[[], AbstractAsyncContextManager[Crawler]]
