"""Every service is killed once amid its work: nothing is lost, nothing is alerted twice."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from demo import copies
from demo.photos import PROTECTED
from demo.site import Access
from demo.stage import Stage, staged
from srpitp_contracts.names import ServiceName
from tests.journeys.leftovers import assert_nothing_is_left

SETTINGS = {
    # Work that a killed process held is taken up when its lease ends; here that may be soon.
    "SRPITP_CRAWL_LEASE_SECONDS": "2",
    "SRPITP_CRAWL_RETRY_SECONDS": "1",
    "SRPITP_DELIVERY_LEASE_SECONDS": "2",
    # A start takes long while all of these are started again on a busy machine.
    "SRPITP_FINGERPRINT_PATIENCE_SECONDS": "60",
    "SRPITP_DELIVERY_SCHEDULE_SECONDS": "[0, 0.5, 1, 1, 2, 2, 5]",
}
SECONDS = 60


def test_killed_services(tmp_path: Path) -> None:
    with staged(tmp_path, separate=True, settings=SETTINGS) as stage, ThreadPoolExecutor() as pool:
        journey, site, receiver = stage.journey, stage.website, stage.receiver
        journey.prepare()

        registering = pool.submit(journey.register, PROTECTED)
        wait_until(lambda: len(journey.protected) >= 3 or registering.done())
        assert not registering.done(), "all were registered before the kill"
        kill_and_restart(stage, ServiceName.REGISTRATION)
        registering.result()

        with receiver.holding():
            crawling = pool.submit(journey.crawl)
            site.log.wait_until(has_sent_images(5), seconds=SECONDS)
            kill_and_restart(stage, ServiceName.CRAWLER)
            site.log.wait_until(has_sent_images(10), seconds=SECONDS)
            kill_and_restart(stage, ServiceName.FINGERPRINT)
            site.log.wait_until(has_sent_images(15), seconds=SECONDS)
            kill_and_restart(stage, ServiceName.MATCHER)
            crawling.result()
            receiver.wait_until(lambda taken: taken.held > 0, seconds=SECONDS)
            stage.system.kill(ServiceName.NOTIFICATION)
        stage.system.restart(ServiceName.NOTIFICATION)

        journey.await_alerts(copies.COPIES)
        journey.crawl_again()
        journey.await_alerts([copies.NEW])
        journey.register_late()
        journey.await_alerts([copies.LATE])
        journey.finish()

        assert journey.complaints == []
        assert journey.crawls[0].attempts > 1, "the kill did not interrupt the crawl"
        assert receiver.repeats >= 1, "the kill did not interrupt a delivery"
    assert_nothing_is_left(tmp_path)


def kill_and_restart(stage: Stage, service: ServiceName) -> None:
    stage.system.kill(service)
    stage.system.restart(service)


def has_sent_images(count: int) -> Callable[[list[Access]], bool]:
    """Return what tells whether the site has sent so many different images."""
    return lambda log: len({entry.path for entry in log if is_sent_image(entry)}) >= count


def is_sent_image(entry: Access) -> bool:
    return entry.status == 200 and entry.path.startswith("/img/")


def wait_until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not met():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.002)
