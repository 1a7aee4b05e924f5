"""What the matcher measures of its own work, for Prometheus."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from services.matcher.runs.store import RunStore
from services.matcher.search.index import LiveIndex
from services.matcher.store import MatcherStore
from srpitp_contracts.matching import Match
from srpitp_matching import Looked
from srpitp_servicekit.metrics import Metrics

_SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


class Stage(StrEnum):
    """A part of a comparison that is timed."""

    READ = "read"
    """of the detected image from the store"""
    SCAN = "scan"
    """of the index, which is brought up to date before"""
    FEATURES = "features"
    """of candidates, from the store or the cache"""
    VERIFY = "verify"
    BACKWARDS = "backwards"
    """of a late registration, over all retained detected images"""


class Measures:
    """Counters and times of comparisons."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._seconds = metrics.histogram(
            "srpitp_match_seconds", "Comparisons of one image, by stage", ("stage",)
        )
        self._pairs = metrics.counter("srpitp_pairs_compared", "Pairs of fingerprints")
        self._share = metrics.histogram(
            "srpitp_scanned_share",
            "Share of the protected images that an image was compared with, by its tags",
            buckets=_SHARES,
        )
        self._matches = metrics.counter(
            "srpitp_matches_found", "Matches, known ones too", ("verdict", "state")
        )

    @contextmanager
    def timed(self, stage: Stage) -> Iterator[None]:
        """Time a stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._seconds.labels(stage).observe(time.perf_counter() - began)

    def count_scan(self, looked: Looked, protected: int) -> None:
        """Count what a scan compared."""
        self._pairs.inc(looked.pairs)
        if protected:
            self._share.observe(looked.images / protected)

    def count_match(self, match: Match) -> None:
        """Count a match that was found."""
        self._matches.labels(match.verdict, match.state).inc()

    def watch(self, index: LiveIndex, store: MatcherStore, runs: RunStore) -> None:
        """Have the index and the review queue measured whenever someone asks."""
        gauge = self._metrics.gauge
        gauge("srpitp_index_images", "Protected images in memory", lambda: index.size[0])
        gauge("srpitp_index_views", "Fingerprints of them", lambda: index.size[1])
        gauge(
            "srpitp_index_age_seconds",
            "Since the index was brought up to date",
            lambda: index.age_seconds,
        )
        gauge("srpitp_reviews_waiting", "Matches in review", store.count_in_review)
        gauge(
            "srpitp_matches_lost_by_tags",
            "Matches of the latest sweep over all tags whose images have no tag in common",
            runs.lost_by_tags,
        )
