"""The demo's own servers: what the journeys assert on must be true."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from PIL import Image
from standardwebhooks import Webhook

from demo import copies
from demo.pages import FORBIDDEN, Website
from demo.photos import ALL, PROTECTED, UNRELATED
from demo.receiver import Receiver
from srpitp_contracts.alerting import WebhookEvent
from srpitp_contracts.events import EventType

ORIGINALS = {photo.key: photo.read() for photo in ALL}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def website() -> Iterator[Website]:
    website = Website(ORIGINALS)
    with website.running():
        yield website


def test_there_is_enough_to_see() -> None:
    altered = [copy for copy in copies.COPIES if copy.format is not None]
    assert len(PROTECTED) >= 8
    assert len(altered) >= 14
    assert len(copies.COPIES) - len(altered) == 2
    assert len(UNRELATED) >= 10


@pytest.mark.parametrize("copy", [*copies.COPIES, copies.LATE], ids=lambda c: c.name)
def test_each_copy_lies_on_the_site(
    http: httpx.Client, website: Website, copy: copies.Copy
) -> None:
    data = http.get(website.image_address(copy.name)).raise_for_status().content
    if copy.format is None:
        assert data == ORIGINALS[copy.original]
    else:
        assert Image.open(io.BytesIO(data)).format == copy.format
        assert data != ORIGINALS[copy.original]


def test_what_is_known_is_answered_by_304(http: httpx.Client, website: Website) -> None:
    first = http.get(website.address)
    etag, modified = first.headers["ETag"], first.headers["Last-Modified"]
    for known in (
        {"If-None-Match": etag},
        {"If-None-Match": f'"other", W/{etag}'},
        {"If-Modified-Since": modified},
    ):
        assert http.get(website.address, headers=known).status_code == 304
    for unknown in (
        {"If-None-Match": '"other"', "If-Modified-Since": modified},
        {"If-Modified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"},
        {"If-Modified-Since": "no date"},
    ):
        assert http.get(website.address, headers=unknown).content == first.content


def test_the_log_says_what_was_answered(http: httpx.Client, website: Website) -> None:
    before = len(website.log.entries)
    http.get(website.address + "nothing")
    website.log.wait_until(lambda log: len(log) > before, seconds=5)
    [entry] = website.log.since(before)
    assert (entry.address, entry.status) == (website.address + "nothing", 404)
    assert website.log.sent_at(entry.address) is None


def test_robots_txt_forbids_the_trap(http: httpx.Client, website: Website) -> None:
    assert FORBIDDEN in http.get(website.address + "robots.txt").text
    assert FORBIDDEN in website.image_address(copies.TRAP.name)
    assert website.pages_showing(copies.TRAP.name)


def test_a_new_copy_changes_one_page(http: httpx.Client) -> None:
    website = Website(ORIGINALS)
    with website.running():
        old = http.get(website.address + "latest.html")
        changed = website.add_copy(copies.NEW)
        assert changed == {website.address + "latest.html", website.image_address(copies.NEW.name)}
        new = http.get(
            website.address + "latest.html", headers={"If-None-Match": old.headers["ETag"]}
        )
        assert copies.NEW.name in new.text


def send(http: httpx.Client, receiver: Receiver, id_: str, *, secret: str = SECRET) -> int:
    now = datetime.now(UTC)
    body = WebhookEvent(type=EventType.PING, timestamp=now, data=None).model_dump_json()
    headers = {
        "webhook-id": id_,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(id_, now, body),
    }
    return http.post(receiver.address, content=body, headers=headers).status_code


def test_the_receiver_takes_what_is_rightly_signed(http: httpx.Client) -> None:
    receiver = Receiver()
    with receiver.running():
        assert send(http, receiver, "a") == 503  # it does not know the secret yet
        receiver.trust(SECRET)
        assert send(http, receiver, "a") == 204
        assert send(http, receiver, "a") == 204
        assert send(http, receiver, "b", secret="whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA") == 401
    assert [arrival.webhook_id for arrival in receiver.receptions] == ["a", "a"]
    assert (receiver.repeats, receiver.refused) == (1, 1)
