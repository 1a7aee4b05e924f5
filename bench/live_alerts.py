"""From the bytes of an image that a site sent to the webhook's arrival, stage by stage.

Real services, a real site and a real webhook on this machine; most of the protected images are made
up, and their descriptions are those of other pictures.
"""

import csv
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from live_protected import fill
from numpy.typing import NDArray
from photos import read_photos, window
from pymongo import MongoClient
from pymongo.database import Database

from demo.receiver import Receiver
from demo.site import AccessLog, Resource, WebServer
from demo.system import System
from srpitp import Client
from srpitp_contracts.alerting import SubscriptionRequest
from srpitp_contracts.crawling import CrawlState, SiteRequest
from srpitp_contracts.matching import MatchState
from srpitp_contracts.names import Collection
from srpitp_fingerprint import describe
from srpitp_servicekit.embedded import running_mongod

__all__ = ["STAGES", "measure_alerts"]

Pixels = NDArray[np.uint8]
Document = dict[str, Any]

STAGES = ("fingerprinted and stored", "matched", "told", "delivered", "whole")
_BASE = 100
_KINDS = 5
_POOL = 200
_QUIET_SECONDS = 10
_MODIFIED = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Times:
    """When what happened to one image, in seconds."""

    address: str
    sent: float
    stored: float
    matched: float
    told: float
    arrived: float

    def stages(self) -> tuple[float, ...]:
        """How long each of `STAGES` took."""
        marks = (self.sent, self.stored, self.matched, self.told, self.arrived)
        each = (late - early for early, late in pairwise(marks))
        return (*each, self.arrived - self.sent)


def measure_alerts(
    folder: Path, *, protected: int, images: int, photos: Path | None, table: Path | None
) -> None:
    """Fill a database, protect some real photos, have a site crawled that shows copies of them."""
    pictures = _pictures(photos)
    with running_mongod(folder / "mongod") as uri, MongoClient[Document](uri) as client:
        began = time.monotonic()
        pool = [describe(picture).to_bytes() for picture in pictures[_BASE : _BASE + _POOL]]
        count = fill(client["srpitp"], protected - _BASE, descriptions=pool)
        print(f"{count:,} protected images written in {time.monotonic() - began:.0f} s")
    site, receiver = WebServer(AccessLog()), Receiver()
    paths = _publish(site, pictures[:_BASE], images)
    system = System(folder)
    with site.running(), receiver.running(), system.running():
        with Client(urls=system.urls, key=system.admin_key) as admin:
            _protect(system, admin, receiver, pictures[:_BASE])
            print(f"{admin.matches.thresholds().protected_images:,} protected images in the index")
            _crawl(admin, site, receiver)
            waiting = list(admin.matches.list(state=MatchState.IN_REVIEW))
            print(f"{len({one.detected_id for one in waiting})} images wait for a reviewer")
        with MongoClient[Document](system.mongodb_uri) as client:
            times = list(_times(client["srpitp"], site, receiver, paths))
    _report(times, images, table)


def _pictures(folder: Path | None) -> list[Pixels]:
    """Give pictures of photos: windows, since more are needed than there are photos."""
    if folder is None:
        import skimage

        folder = Path(skimage.__file__).parent / "data"
    sources = read_photos(folder)
    step = max(1, len(sources) // (_BASE + _POOL))
    read = (cv2.imread(str(one.path), cv2.IMREAD_COLOR) for one in sources[::step])
    photos = [np.asarray(of, np.uint8) for of in read if of is not None and min(of.shape[:2]) > 200]
    return [window(photos[n % len(photos)], [n]) for n in range(_BASE + _POOL)]


def _copy(picture: Pixels, kind: int) -> Pixels:
    """Alter a picture as thieves do."""
    rows, columns = picture.shape[:2]
    if kind == 1:
        size = (round(0.6 * columns), round(0.6 * rows))
        return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    if kind == 2:
        return picture[rows // 25 : -rows // 25, columns // 25 : -columns // 25]
    if kind == 3:
        return np.asarray(np.clip(picture.astype(np.float32) * 1.2 + 5, 0, 255), np.uint8)
    if kind == 4:
        return picture[:, ::-1]
    return picture


def _jpeg(picture: Pixels, quality: int) -> bytes:
    return cv2.imencode(".jpg", np.ascontiguousarray(picture), [1, quality])[1].tobytes()


def _publish(site: WebServer, bases: Sequence[Pixels], images: int) -> list[str]:
    """Place copies on pages of fifty; return their paths."""
    paths = []
    for number in range(images):
        kind = number // len(bases) % _KINDS
        data = _jpeg(_copy(bases[number % len(bases)], kind), 50 + 7 * kind)
        path = f"/copy-{number}.jpg"
        site.put(path, Resource(data, "image/jpeg", _MODIFIED))
        paths.append(path)
    pages = [paths[start : start + 50] for start in range(0, images, 50)]
    for number, shown in enumerate(pages):
        tags = "".join(f'<img src="{path}">' for path in shown)
        _page(site, f"/page-{number}.html", tags)
    _page(site, "/", "".join(f'<a href="/page-{n}.html">more</a>' for n in range(len(pages))))
    return paths


def _page(site: WebServer, path: str, body: str) -> None:
    html = f"<html><body>{body}</body></html>".encode()
    site.put(path, Resource(html, "text/html", _MODIFIED))


def _protect(system: System, admin: Client, receiver: Receiver, bases: Sequence[Pixels]) -> None:
    owner = admin.owners.create("Owner")
    with Client(urls=system.urls, key=admin.owners.issue_key(owner.id).secret) as client:
        request = SubscriptionRequest.model_validate({"address": receiver.address})
        receiver.trust(client.subscriptions.add(request).secret)
        for number, picture in enumerate(bases):
            client.images.protect(_jpeg(picture, 92), title=f"base {number}")


def _crawl(admin: Client, site: WebServer, receiver: Receiver) -> None:
    """Crawl to the end, and wait until no more alerts come."""
    monitored = admin.sites.add(SiteRequest.model_validate({"address": site.address()}))
    crawl = admin.sites.crawl(monitored.id)
    while admin.crawls.get(crawl.id).state in {CrawlState.WAITING, CrawlState.RUNNING}:
        time.sleep(0.5)
    counts, known = admin.crawls.get(crawl.id).counts, -1
    print(f"{counts.images_new} images fetched, {counts.requests_failed} requests failed")
    while known < len(receiver.alerts):
        known = len(receiver.alerts)
        time.sleep(_QUIET_SECONDS)


def _times(
    db: Database[Document], site: WebServer, receiver: Receiver, paths: Sequence[str]
) -> Iterator[Times]:
    """Put together what the site, the store and the receiver noted of each image."""
    to_wall = time.time() - time.monotonic()
    stored = {
        one["key"].split("/")[1]: one["created_at"].timestamp()
        for one in db[Collection.OUTBOX].find({"sender": "crawler", "subject": "detected"})
    }
    told = {
        one["match"]["id"]: one["created_at"].timestamp()
        for one in db[Collection.ALERTS].find({"match": {"$ne": None}})
    }
    arrived = {
        one.event.data.image_address: (one.event.data, one.at + to_wall)
        for one in reversed(receiver.alerts)
        if one.event.data
    }
    for path in paths:
        address = site.address(path)
        sent, arrival = site.log.sent_at(address), arrived.get(address)
        if sent is None or arrival is None:
            continue
        match, at = arrival
        yield Times(
            path,
            sent + to_wall,
            stored[match.detected_id],
            match.created_at.timestamp(),
            told[match.id],
            at,
        )


def _report(times: Sequence[Times], images: int, table: Path | None) -> None:
    print(f"{len(times)} of {images} images alerted")
    rows = np.array([one.stages() for one in times])
    for name, column in zip(STAGES, rows.T, strict=True):
        half, most = np.quantile(column, [0.5, 0.95])
        print(f"{name:26} p50 {half:6.3f} s   p95 {most:6.3f} s   at most {column.max():6.3f} s")
    if table:
        with table.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("image", *STAGES))
            writer.writerows((one.address, *one.stages()) for one in times)
