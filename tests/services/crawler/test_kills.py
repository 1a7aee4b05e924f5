"""Whatever is killed, whenever: nothing is lost, nothing is done twice, and it goes on soon."""

import asyncio
import os
import random
import signal
from pathlib import Path

import httpx
import pytest

from srpitp_contracts.names import Collection
from srpitp_servicekit.mongo import Database
from tests.deadlines import eventually
from tests.keys import ADMIN_KEY, bearer
from tests.services.crawler.crawling import Crawler, Json, Matcher, Opened, photo
from tests.services.crawler.website import Website
from tests.services.processes import service_process

_PAGES = 6


def crawl_processes(parent: int) -> list[int]:
    """Return the crawls that run as children of a process."""
    children = Path(f"/proc/{parent}/task").glob("*/children")
    pids = [int(pid) for file in children for pid in file.read_text().split()]
    return [pid for pid in pids if b"services.crawler.crawl" in _command(pid)]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.fixture
def slow_website(website: Website) -> Website:
    """A chain of pages, each with an image of its own and one that all show."""
    for number in range(_PAGES):
        website.page(
            f"/{number}",
            f'<a href="/{number + 1}">next</a><img src="/{number}.jpg"><img src="/all.jpg">',
            seconds=0.1,
        )
        website.image(f"/{number}.jpg", photo(number), seconds=0.1)
    website.image("/all.jpg", photo(99), seconds=0.3)
    website.page(f"/{_PAGES}", "the end")
    return website


async def expect_everything(
    crawler: Crawler, website: Website, site_id: str, db: Database
) -> dict[str, Json]:
    """Check the final state: each image once, with the sighting of each page that shows it."""
    detected = await crawler.detected(site_id)
    own = {website.at(f"/{number}.jpg") for number in range(_PAGES)}
    assert set(detected) == own | {website.at("/all.jpg")}
    pages = {one["page_address"] for one in detected[website.at("/all.jpg")]["sightings"]}
    assert pages == {website.at(f"/{number}") for number in range(_PAGES)}
    assert all(len(detected[address]["sightings"]) == 1 for address in own)
    assert await db[Collection.OUTBOX].count_documents({}) == _PAGES + 1
    return detected


async def test_a_killed_crawl_is_taken_up_where_it_was(
    crawler: Crawler, slow_website: Website, db: Database, matcher: Matcher
) -> None:
    site_id = await crawler.monitor(slow_website.at("/0"))
    chance = random.Random(7)  # noqa: S311
    for _ in range(2):
        hits = len(slow_website.hits) + chance.randint(2, 6)

        async def is_under_way(hits: int = hits) -> bool:
            return len(slow_website.hits) >= hits

        await eventually(is_under_way, seconds=60)
        for pid in crawl_processes(os.getpid()):
            os.kill(pid, signal.SIGKILL)

    crawl = await crawler.first_crawl(site_id)

    assert crawl["state"] == "finished", crawl
    assert crawl["attempts"] == 3
    detected = await expect_everything(crawler, slow_website, site_id, db)
    asked = slow_website.take_hits()
    assert sum(len(statuses) - 1 for statuses in asked.values()) < 2 * 8, "all was asked anew"

    async def all_told() -> bool:
        return {*matcher.told} == {one["id"] for one in detected.values()}

    await eventually(all_told)


async def test_a_stopped_service_hands_its_crawl_over(
    open_crawler: Opened, slow_website: Website, db: Database
) -> None:
    async with open_crawler() as crawler:
        site_id = await crawler.monitor(slow_website.at("/0"))

        async def is_under_way() -> bool:
            return len(slow_website.hits) >= 4

        await eventually(is_under_way, seconds=60)
    assert crawl_processes(os.getpid()) == []
    left = await db[Collection.CRAWLS].find_one({"site_id": site_id})
    assert left is not None
    assert (left["state"], left["attempts"]) == ("waiting", 0)
    async with open_crawler() as crawler:
        crawl = await crawler.first_crawl(site_id)
        assert (crawl["state"], crawl["attempts"]) == ("finished", 1)
        await expect_everything(crawler, slow_website, site_id, db)


async def test_a_killed_services_crawl_is_taken_up_when_its_lease_ends(
    open_crawler: Opened, slow_website: Website, db: Database
) -> None:
    async with (
        service_process("services.crawler.main") as (process, url),
        httpx.AsyncClient(base_url=url, headers=bearer(ADMIN_KEY)) as client,
    ):
        site_id = await Crawler(client).monitor(slow_website.at("/0"))

        async def is_under_way() -> bool:
            return len(slow_website.hits) >= 4

        await eventually(is_under_way, seconds=60)
        orphans = crawl_processes(process.pid)
        assert len(orphans) == 1
        process.kill()

        async def have_ended() -> bool:
            return not any(_command(orphan) for orphan in orphans)

        await eventually(have_ended)
    async with open_crawler() as crawler:
        crawl = await crawler.first_crawl(site_id)
        assert (crawl["state"], crawl["attempts"]) == ("finished", 2)
        await expect_everything(crawler, slow_website, site_id, db)


async def test_one_crawl_of_a_site_at_a_time(crawler: Crawler, slow_website: Website) -> None:
    site_id = await crawler.monitor(slow_website.at("/0"), max_pages=2)
    requests = [crawler.client.post(f"/v1/sites/{site_id}/crawls") for _ in range(8)]
    answers = await asyncio.gather(*requests)
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    await crawler.end_of(answers[0].json()["id"])
    assert max(map(len, slow_website.take_hits().values())) == 1


async def test_a_site_is_crawled_again_and_again(crawler: Crawler, website: Website) -> None:
    website.page("/", "nothing here yet")
    site_id = await crawler.monitor(website.at("/"), interval_seconds=1)

    async def twice() -> bool:
        await asyncio.sleep(0.1)
        items = (await crawler.get("/v1/crawls", site_id=site_id, state="finished"))["items"]
        return len({item["id"] for item in items if item["reason"] == "schedule"}) >= 2

    await eventually(twice, seconds=60)


async def test_a_crawl_that_takes_too_long_is_ended(
    open_crawler: Opened, website: Website, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SRPITP_CRAWL_TIMEOUT_SECONDS", "0.5")
    website.page("/", "late", seconds=60)
    async with open_crawler() as crawler:
        site_id = await crawler.monitor(website.at("/"))
        crawl = await crawler.first_crawl(site_id)
        assert crawl["state"] == "failed"
        assert crawl["error"] == "it took longer than 0.5 s"
        assert crawl_processes(os.getpid()) == []


async def test_deleting_a_site_ends_its_crawl(
    crawler: Crawler, slow_website: Website, db: Database
) -> None:
    site_id = await crawler.monitor(slow_website.at("/0"))

    async def is_under_way() -> bool:
        return len(slow_website.hits) >= 2

    await eventually(is_under_way, seconds=60)
    assert (await crawler.client.delete(f"/v1/sites/{site_id}")).status_code == 204

    async def has_ended() -> bool:
        return not crawl_processes(os.getpid())

    await eventually(has_ended, seconds=60)
    assert (await crawler.client.get(f"/v1/sites/{site_id}")).status_code == 404
    assert await db[Collection.CRAWLS].count_documents({"site_id": site_id}) == 0
