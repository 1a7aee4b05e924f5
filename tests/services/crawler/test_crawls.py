"""The crawler over a real website on loopback, a real fingerprint service and real processes."""

import gzip
from typing import Any

import pytest

from srpitp_contracts.names import Collection
from srpitp_fingerprint import SKETCH_BYTES, Description
from srpitp_servicekit.mongo import Database
from tests.deadlines import eventually
from tests.services.crawler.crawling import Crawler, Matcher, Opened, photo
from tests.services.crawler.website import Resource, Website, serving


async def test_typical_journey(
    crawler: Crawler, website: Website, matcher: Matcher, db: Database
) -> None:
    website.page(
        "/",
        """<title>Front</title><a href="/two">two</a><a href="https://elsewhere.example/">x</a>
        <div><img src="/a.jpg"><span class="author">alice</span>
        <time datetime="2024-05-01T10:00:00Z">May</time></div><img src="/b.jpg">""",
    )
    website.page("/two", '<title>Two</title><img src="/b.jpg#top"><img src="/gone.jpg">')
    website.image("/a.jpg", photo(1))
    website.image("/b.jpg", photo(2), headers={"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"})
    site_id = await crawler.monitor(website.at("/"))

    crawl = await crawler.first_crawl(site_id)

    assert crawl["state"] == "finished", crawl
    assert crawl["reason"] == "schedule"
    assert crawl["counts"] == {
        "pages_fetched": 2,
        "pages_unchanged": 0,
        "images_fetched": 2,
        "images_unchanged": 0,
        "images_new": 2,
        "images_refused": 0,
        "requests_failed": 1,
    }
    assert website.take_hits() == {
        "/": [200],
        "/two": [200],
        "/a.jpg": [200],
        "/b.jpg": [200],
        "/gone.jpg": [404],
    }
    detected = await crawler.detected(site_id)
    a, b = detected[website.at("/a.jpg")], detected[website.at("/b.jpg")]
    [sighting] = a["sightings"]
    assert sighting["page_address"] == website.at("/")
    assert sighting["page_title"] == "Front"
    assert sighting["uploader"]["value"] == "alice"
    assert sighting["uploaded_at"]["value"] == "2024-05-01T10:00:00Z"
    assert {one["page_address"] for one in b["sightings"]} == {website.at("/"), website.at("/two")}
    assert {one["uploaded_at"]["source"] for one in b["sightings"]} == {"http:last-modified"}
    assert b["evidence"]["status"] == 200
    assert b["evidence"]["headers"]["content-type"] == "image/jpeg"
    file = await crawler.client.get(f"/v1/detected/{a['id']}/file")
    assert file.content == photo(1)
    assert file.headers["content-type"] == "image/jpeg"
    assert file.headers["x-content-type-options"] == "nosniff"

    async def all_compared() -> bool:
        states = [one["state"] for one in (await crawler.detected(site_id)).values()]
        return states == ["searched", "searched"]

    await eventually(all_compared)
    assert sorted(matcher.told) == sorted([a["id"], b["id"]])
    documents = await db[Collection.DETECTED].find().to_list(None)
    for document in documents:
        assert document["views"][0]["name"] == "whole"
        assert len(document["views"][0]["sketch"]) == SKETCH_BYTES
        kept = await db[Collection.DESCRIPTIONS].find_one({"_id": document["_id"]})
        assert kept
        description = Description.from_bytes(kept["packed"])
        assert description.extraction.digest == document["digest"]
        assert [panel["quality"] for panel in document["panels"]] == [
            panel.extraction.quality for panel in description.panels
        ]
    assert all(document["expires_at"] for document in documents)


async def test_second_crawl_takes_what_is_new_or_changed(
    crawler: Crawler, website: Website, db: Database
) -> None:
    website.page("/", '<img src="/same.jpg"><img src="/changes.jpg"><a href="/old">x</a>')
    website.page("/old", '<title>Old</title><p class="byline">by ann</p><img src="/mute.jpg">')
    website.image("/same.jpg", photo(1))
    website.image("/changes.jpg", photo(2))
    website.image("/mute.jpg", photo(3), etag=False)
    site_id = await crawler.monitor(website.at("/"))
    assert (await crawler.first_crawl(site_id))["counts"]["images_new"] == 3
    before = await crawler.detected(site_id)
    website.take_hits()

    website.image("/changes.jpg", photo(4))
    website.page("/old", '<title>Old</title><p class="byline">by bob</p><img src="/mute.jpg">')
    crawl = await crawler.crawl(site_id)

    assert website.take_hits() == {
        "/": [304],
        "/old": [200],
        "/same.jpg": [304],
        "/changes.jpg": [200],
        "/mute.jpg": [200],
    }
    assert crawl["counts"] == {
        "pages_fetched": 1,
        "pages_unchanged": 1,
        "images_fetched": 2,
        "images_unchanged": 1,
        "images_new": 1,
        "images_refused": 0,
        "requests_failed": 0,
    }
    assert await db[Collection.DETECTED].count_documents({}) == 4
    assert await db[Collection.OUTBOX].count_documents({}) == 4
    after = await crawler.detected(site_id)
    same, mute = website.at("/same.jpg"), website.at("/mute.jpg")
    for address in (same, mute):
        assert after[address]["id"] == before[address]["id"]
        assert after[address]["first_seen"] == before[address]["first_seen"]
        assert after[address]["last_seen"] > before[address]["last_seen"]
    [was], [now] = before[mute]["sightings"], after[mute]["sightings"]
    assert was["uploader"]["value"] == "ann"
    assert now["uploader"]["value"] == "bob"
    assert now["id"] == was["id"]
    assert now["first_seen"] == was["first_seen"] < now["last_seen"]


async def test_a_hostile_site_is_survived(crawler: Crawler, website: Website) -> None:
    def calendar(day: int) -> str:
        return f'<a href="/day/{day + 1}">next</a><a href="/day/{day + 2}">later</a>'

    for day in range(40):
        website.page(f"/day/{day}", calendar(day))
    bomb = {"Content-Encoding": "gzip"}
    website.page(
        "/",
        """<a href="/loop">l</a><a href="/bomb">b</a><a href="/deep">d</a><a href="/day/0">c</a>
        <a href="/tar">t</a><a href="file:///etc/passwd">f</a><a href="//[">x</a>
        <img src="/text.jpg"><img src="/cut.jpg"><img src="/bomb.jpg"><img src="/busy.jpg">
        <img src="/around.jpg"><img src="file:///etc/passwd.jpg"><img src="ftp://h/x.jpg">
        <img src="/empty.jpg"><img src="http://127.0.0.1:1/closed.jpg"><img src="/good.jpg">""",
    )
    website.resources |= {
        "/loop": Resource(status=302, headers={"Location": "/loop"}),
        "/bomb": Resource(gzip.compress(bytes(30 * 2**20)), headers=bomb),
        "/deep": Resource(b"<div itemscope itemprop=x>" * 100_000, etag=False),
        "/tar": Resource(b"\0\1\2" * 1000, "application/x-tar"),
        "/bomb.jpg": Resource(gzip.compress(bytes(60 * 2**20)), "image/jpeg", headers=bomb),
        "/around.jpg": Resource(status=302, headers={"Location": "/good2.jpg"}, etag=False),
    }
    website.image("/text.jpg", b"this is no image")
    website.image("/empty.jpg", b"")
    website.image("/cut.jpg", photo(1), cut=True)
    website.image("/busy.jpg", photo(2), failures=1, headers={"Retry-After": "1"})
    website.image("/good.jpg", photo(3))
    website.image("/good2.jpg", photo(4))
    site_id = await crawler.monitor(website.at("/"), max_pages=20, max_depth=5)

    crawl = await crawler.first_crawl(site_id)

    assert crawl["state"] == "finished", crawl
    assert set(await crawler.detected(site_id)) == {
        website.at(path) for path in ("/busy.jpg", "/good.jpg", "/around.jpg")
    }
    assert crawl["counts"]["images_refused"] == 2
    assert crawl["counts"]["requests_failed"] == 5  # loop, bomb, cut, bomb.jpg, closed
    hits = website.take_hits()
    assert hits["/busy.jpg"] == [503, 200]
    assert not [path for path in hits if path.startswith("/day/") and int(path[5:]) > 8]

    await crawler.crawl(site_id)  # what was refused is not fetched again until it changes
    assert website.take_hits()["/text.jpg"] == [304]


async def test_robots_are_obeyed_unless_the_site_says_otherwise(
    crawler: Crawler, website: Website
) -> None:
    website.resources["/robots.txt"] = Resource(b"User-agent: *\nDisallow: /private/", "text/plain")
    website.page("/", '<a href="/private/page">p</a><img src="/private/a.jpg"><img src="/b.jpg">')
    website.page("/private/page", "secret")
    website.image("/private/a.jpg", photo(1))
    website.image("/b.jpg", photo(2))

    polite = await crawler.monitor(website.at("/"))
    crawl = await crawler.first_crawl(polite)
    assert crawl["counts"]["requests_failed"] == 0
    assert set(website.take_hits()) == {"/", "/b.jpg"}

    allowed = await crawler.monitor(website.at("/"), obey_robots=False)
    await crawler.first_crawl(allowed)
    assert set(website.take_hits()) == {"/", "/b.jpg", "/private/page", "/private/a.jpg"}


async def test_private_addresses_are_not_connected_to(
    open_crawler: Opened, website: Website, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SRPITP_EGRESS_ALLOW", '["127.0.0.1/32"]')
    with serving("127.0.0.2") as private:
        port = private.address.rsplit(":", 1)[1]
        private.image("/secret.jpg", photo(1))
        website.page(
            "/",
            f"""<img src="{private.at("/secret.jpg")}"><img src="/redirect.jpg">
            <img src="http://2130706434:{port}/secret.jpg"><img src="http://127.2:{port}/secret.jpg">
            <img src="http://0x7f.0.0.2:{port}/secret.jpg"><img src="/seen.jpg">
            <img src="http://[::ffff:127.0.0.2]:{port}/secret.jpg"><a href="/leave">l</a>""",
        )
        there = {"Location": private.at("/secret.jpg")}
        website.resources["/redirect.jpg"] = Resource(status=302, headers=there)
        website.resources["/leave"] = Resource(status=302, headers=there)
        website.image("/seen.jpg", photo(2))
        async with open_crawler() as crawler:
            site_id = await crawler.monitor(website.at("/"))
            await crawler.first_crawl(site_id)
            assert set(await crawler.detected(site_id)) == {website.at("/seen.jpg")}
            refused = await crawler.client.post("/v1/sites", json={"address": private.address})
            assert refused.status_code == 422
            assert refused.json()["code"] == "address_refused"
        assert private.hits == []


async def test_pages_stay_on_the_site_and_images_need_not(
    crawler: Crawler, website: Website
) -> None:
    with serving() as other:
        other.page("/", "elsewhere")
        other.image("/cdn.jpg", photo(1))
        website.resources["/"] = Resource(status=301, headers={"Location": "/home"})
        website.page(
            "/home",
            f"""<a href="{other.at("/")}">x</a><a href="/leave">l</a>
            <img src="{other.at("/cdn.jpg")}">""",
        )
        website.resources["/leave"] = Resource(status=302, headers={"Location": other.at("/")})
        site_id = await crawler.monitor(website.at("/"))
        await crawler.first_crawl(site_id)
        assert other.take_hits() == {"/cdn.jpg": [200]}
        [image] = (await crawler.detected(site_id)).values()
        assert [one["page_address"] for one in image["sightings"]] == [website.at("/home")]


async def test_a_fingerprint_service_that_comes_back_loses_nothing(
    open_crawler: Opened, website: Website, monkeypatch: pytest.MonkeyPatch, fingerprint_url: str
) -> None:
    website.page("/", '<img src="/a.jpg">')
    website.image("/a.jpg", photo(1))
    monkeypatch.setenv("SRPITP_FINGERPRINT_URL", "http://127.0.0.1:1")
    async with open_crawler() as crawler:
        site_id = await crawler.monitor(website.at("/"))

        async def has_failed_once() -> bool:
            crawls = (await crawler.get("/v1/crawls", site_id=site_id))["items"]
            return any(crawl["error"] for crawl in crawls)

        await eventually(has_failed_once, seconds=30)
        monkeypatch.setenv("SRPITP_FINGERPRINT_URL", fingerprint_url)
        crawl = await crawler.first_crawl(site_id)
        assert crawl["state"] == "finished"
        assert crawl["attempts"] > 1
        assert crawl["counts"]["images_new"] == 1


async def test_an_absent_fingerprint_service_fails_the_crawl_and_loses_nothing(
    open_crawler: Opened, website: Website, monkeypatch: pytest.MonkeyPatch, fingerprint_url: str
) -> None:
    website.page("/", '<img src="/a.jpg">')
    website.image("/a.jpg", photo(1))
    monkeypatch.setenv("SRPITP_FINGERPRINT_URL", "http://127.0.0.1:1")
    async with open_crawler() as crawler:
        site_id = await crawler.monitor(website.at("/"))
        crawl = await crawler.first_crawl(site_id)
        assert crawl["state"] == "failed"
        assert "the fingerprint service was away; images that wait for it: 1" in crawl["error"]
        monkeypatch.setenv("SRPITP_FINGERPRINT_URL", fingerprint_url)
        crawl = await crawler.crawl(site_id)
        assert crawl["state"] == "finished"
        assert crawl["counts"]["pages_unchanged"] == 1
        assert crawl["counts"]["images_new"] == 1


async def test_a_site_that_does_not_answer_fails_with_the_reason(
    crawler: Crawler, website: Website
) -> None:
    site_id = await crawler.monitor(website.at("/nothing"))
    crawl = await crawler.first_crawl(site_id)
    assert crawl["state"] == "failed"
    assert crawl["attempts"] == 3
    assert "it answered 404" in crawl["error"]


@pytest.mark.parametrize("retained_first", [True, False])
async def test_a_match_is_kept_whichever_word_comes_first(
    crawler: Crawler, website: Website, matcher: Matcher, retained_first: bool
) -> None:
    website.page("/", '<img src="/a.jpg">')
    website.image("/a.jpg", photo(1))
    if retained_first:
        matcher.before_answer = crawler.retain
    site_id = await crawler.monitor(website.at("/"))
    await crawler.first_crawl(site_id)

    async def state() -> Any:
        [image] = (await crawler.detected(site_id)).values()
        return image["state"], image["expires_at"]

    async def is_compared() -> bool:
        return bool((await state())[0] != "waiting")

    await eventually(is_compared)
    if not retained_first:
        assert (await state())[0] == "searched"
        await crawler.retain(matcher.told[0])
    assert await state() == ("matched", None)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("SRPITP_RETENTION_DAYS", "0"), ("SRPITP_MATCHING_MODE", "paper")],
    ids=["no retention", "paper mode"],
)
async def test_nothing_unmatched_is_kept_without_retention(
    setting: str,
    value: str,
    open_crawler: Opened,
    website: Website,
    matcher: Matcher,
    monkeypatch: pytest.MonkeyPatch,
    db: Database,
) -> None:
    monkeypatch.setenv(setting, value)
    monkeypatch.setattr("services.crawler.runner._SWEEP_SECONDS", 0.05)
    website.page("/", '<img src="/a.jpg">')
    website.image("/a.jpg", photo(1))
    async with open_crawler() as crawler:
        site_id = await crawler.monitor(website.at("/"))
        await crawler.first_crawl(site_id)
        image_id = matcher.told

        async def is_gone() -> bool:
            left = [db[name] for name in (Collection.DETECTED, Collection.SIGHTINGS)]
            return bool(image_id) and not any([await one.count_documents({}) for one in left])

        await eventually(is_gone)
        answer = await crawler.client.get(f"/v1/detected/{image_id[0]}/file")
        assert answer.status_code == 404
        website.take_hits()
        crawl = await crawler.crawl(site_id)
        assert website.take_hits() == {"/": [304], "/a.jpg": [304]}
        assert crawl["counts"]["images_new"] == 0
        assert await db[Collection.SIGHTINGS].count_documents({}) == 0
