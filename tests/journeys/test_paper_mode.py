"""Paper mode through the real services: the paper's Algorithm 2 to the letter."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from demo.system import System
from srpitp import Client
from srpitp_contracts.crawling import CrawlState, SiteRequest
from srpitp_contracts.matching import MatchState, Verdict
from tests.services.crawler.website import serving
from tests.services.images import jpeg, real_photo

_SECONDS = 60


def test_what_is_found_is_what_the_paper_finds(tmp_path: Path) -> None:
    cat, cup = real_photo("chelsea.png"), real_photo("coffee.png")
    lighter = np.clip(cat.astype(int) + 12, 0, 255).astype(np.uint8)
    shown = {
        "same": jpeg(cat),
        "like": jpeg(lighter[::2, ::2], 40),
        "part": jpeg(np.ascontiguousarray(cat[80:, 120:])),
        "other": jpeg(real_photo("rocket.jpg")),
    }
    system = System(tmp_path, settings={"SRPITP_MATCHING_MODE": "paper"})
    with serving() as site, system.running(), Client(urls=system.urls, key=system.admin_key) as us:
        site.page("/", "".join(f'<img src="/{name}.jpg">' for name in shown))
        for name, data in shown.items():
            site.image(f"/{name}.jpg", data)
        owner = us.owners.create("Owner")
        [exact, near, _] = [
            us.images.protect(data, title=title, owner_id=owner.id)
            for title, data in (
                ("as it is", jpeg(cat)),
                ("brighter", jpeg(lighter)),
                ("other", jpeg(cup)),
            )
        ]
        monitored = us.sites.add(SiteRequest.model_validate({"address": site.address}))
        crawl = us.sites.crawl(monitored.id)
        _until(lambda: us.crawls.get(crawl.id).state is CrawlState.FINISHED)
        _until(lambda: len(list(us.detected.list())) == 2)  # the rest is dropped

        matches = {
            (match.image_address.rpartition("/")[2], match.protected_id): match
            for match in us.matches.list()
        }
        told = us.matches.thresholds()
        searched = us.matches.search(shown["like"])
    # The exact one is noted; of the similar ones the nearest is reviewed, and no other.
    noted = matches["same.jpg", exact.id]
    assert (noted.verdict, noted.state) == (Verdict.EXACT, MatchState.CONFIRMED)
    reviewed = matches["like.jpg", near.id]
    assert (reviewed.verdict, reviewed.state) == (Verdict.SIMILAR, MatchState.IN_REVIEW)
    assert reviewed.distance == reviewed.decision_distance <= reviewed.threshold == 0.4258
    assert reviewed.verification is None
    assert set(matches) <= {
        ("same.jpg", exact.id),
        ("same.jpg", near.id),
        ("like.jpg", near.id),
    }
    assert (told.preset, told.threshold, told.alarm) == ("paper", 0.4258, None)
    assert [one.protected_id for one in searched.candidates] == [near.id]


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
