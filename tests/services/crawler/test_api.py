"""The crawler's routes, for those who may and those who may not."""

from tests.keys import SERVICE_KEY, bearer
from tests.services.crawler.crawling import Crawler
from tests.services.crawler.website import Website


async def test_sites(crawler: Crawler, website: Website) -> None:
    website.page("/", "hello")
    body = {"address": website.at("/#top"), "name": "One", "interval_seconds": 3600}
    key = {"Idempotency-Key": "k1"}
    made = await crawler.client.post("/v1/sites", json=body, headers=key)
    assert made.status_code == 201
    assert made.json()["address"] == website.at("/")
    again = await crawler.client.post("/v1/sites", json=body, headers=key)
    assert again.json()["id"] == made.json()["id"]
    other = await crawler.client.post("/v1/sites", json={**body, "name": "Two"}, headers=key)
    assert other.status_code == 422
    assert other.json()["code"] == "idempotency_key_reused"

    assert [site["name"] for site in (await crawler.get("/v1/sites"))["items"]] == ["One"]
    await crawler.first_crawl(made.json()["id"])
    site = await crawler.get(f"/v1/sites/{made.json()['id']}")
    crawls = await crawler.get("/v1/crawls", site_id=site["id"], state="finished")
    assert [crawl["id"] for crawl in crawls["items"]] == [site["last_crawl_id"]]
    assert site["next_crawl_at"] > made.json()["next_crawl_at"]

    assert (await crawler.client.delete(f"/v1/sites/{site['id']}")).status_code == 204
    for path in (f"/v1/sites/{site['id']}", "/v1/crawls/none", "/v1/detected/none"):
        answer = await crawler.client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (await crawler.client.post("/v1/sites/none/crawls")).status_code == 404


async def test_keys(crawler: Crawler) -> None:
    as_service = bearer(SERVICE_KEY)
    for path in ("/v1/sites", "/v1/crawls", "/v1/detected", "/v1/detected/x"):
        assert (await crawler.client.get(path, headers=as_service)).status_code == 403
        nobody = {"Authorization": "Bearer nobody"}
        assert (await crawler.client.get(path, headers=nobody)).status_code == 401
    # A service passes a file on, to be drawn for a reviewer.
    file = await crawler.client.get("/v1/detected/x/file", headers=as_service)
    assert file.status_code == 404
    # Whatever is told of an image that is gone, there is nothing to tell again.
    await crawler.retain("gone", tag="people")
