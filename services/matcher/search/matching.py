"""Which protected images a detected image shows, and the reverse (paper, Algorithm 2, step 8)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from services.matcher.measures import Measures, Stage
from services.matcher.search.descriptions import DescriptionCache
from services.matcher.search.index import LiveIndex
from services.matcher.search.store import ImageStore, is_protected_at
from services.matcher.settings import Settings
from srpitp_contracts.matching import Candidate, Match, MatchingMode, SearchResult, Thresholds
from srpitp_contracts.model import utc_now
from srpitp_fingerprint import Description, LocalFeatures
from srpitp_matching import (
    DetectedFacts,
    Judged,
    Looked,
    Picture,
    ProtectedFacts,
    Rules,
    Worth,
    description_of,
    features_of,
    judge,
    judge_pair,
    match_of,
    picture_of,
    scanned,
    the_worthiest,
    worth_judging,
)
from srpitp_servicekit.mongo import Document, unpacked
from srpitp_servicekit.problems import UnavailableError


@dataclass(frozen=True)
class Found:
    """What a comparison came to."""

    compared: int
    matches: tuple[Match, ...]
    """As they are to be noted, unless the pair was judged before."""


NOTHING = Found(0, ())
_JUDGED_AT_ONCE = 50  # whose descriptions are in memory


class Matching:
    """Compares what is new on either side with all of the other.

    What takes longer than `Settings.match_seconds` is given up with a 503: whoever told of the
    image tells of it again a little later, and finds in memory what was read by then. So nothing
    is lost, and no reviewer is asked only because the store was slow.
    """

    def __init__(self, images: ImageStore, settings: Settings, measures: Measures) -> None:
        self._images = images
        self._measures = measures
        self._settings = settings
        self._budgets = settings.budgets
        self._cache = DescriptionCache(images, settings.features_cache_bytes)
        self.index = LiveIndex(
            images,
            self._budgets,
            points_limit=settings.match_points_limit,
            tags_from=settings.match_tags_from,
            poll_seconds=settings.index_poll_seconds,
            stale_seconds=settings.index_stale_seconds,
            on_change=self._cache.forget,
        )

    @property
    def thresholds(self) -> Thresholds:
        """What is in force, and why."""
        return self.index.thresholds

    async def of_detected(self, detected_id: str, tag: str) -> Found:
        """Compare a detected image with the protected images that have a tag of its."""
        with self._measures.timed(Stage.READ):
            document = await self._images.detected(tag, detected_id)
            if document is None:  # expired since
                return NOTHING
            packed = await self._images.descriptions([detected_id])
            picture = self._described(document, packed.get(detected_id))
        facts = DetectedFacts.of(document)
        looked, rules, judged = await self._in_time(picture, facts.tags)
        now = utc_now()
        protected = await self._protected_of(judged)
        return self._found(
            looked.images,
            [
                match_of(one, ProtectedFacts.of(protected[one.protected_id]), facts, rules, now)
                for one in judged
                if one.protected_id in protected
            ],
        )

    async def of_protected(self, protected_id: str, tag: str) -> Found:
        """Compare a protected image with the images that were detected before it was registered.

        Not in paper mode, which keeps nothing of what it did not match.
        """
        if self._budgets.mode is MatchingMode.PAPER:
            return NOTHING
        # From now on it is found by what is detected; what was detected before is searched here.
        await self.index.catch_up()
        now = utc_now()
        document = await self._images.protected(protected_id, tag)
        if document is None or not is_protected_at(document, now):
            return NOTHING
        packed = await self._images.descriptions([protected_id])
        picture = picture_of(document, packed.get(protected_id))
        facts, rules = ProtectedFacts.of(document), self.index.rules
        compared, gathered = 0, list[tuple[Worth, Document]]()
        with self._measures.timed(Stage.BACKWARDS):
            tags = facts.tags if self.index.by_tags else None
            async for batch in self._images.detected_with(tags):
                documents = await asyncio.to_thread(unpacked, batch)
                compared += len(documents)
                gathered += await asyncio.to_thread(self._worth, picture, documents, rules)
                gathered = the_worthiest(gathered)
            matches = [
                match_of(judged, facts, DetectedFacts.of(one), rules, now)
                async for one, judged in self._backwards(picture, gathered, rules)
            ]
        return self._found(compared, matches)

    async def search(self, document: Document, packed: bytes | None) -> SearchResult:
        """Compare an image of which nothing is kept with all protected ones.

        Parameters
        ----------
        document, packed
            As a detected image and its description are stored.
        """
        looked, _, judged = await self._in_time(self._described(document, packed), None)
        protected = await self._protected_of(judged)
        return SearchResult(
            compared=looked.images,
            candidates=[
                _candidate(one, protected[one.protected_id])
                for one in judged
                if one.protected_id in protected
            ],
        )

    async def _in_time(
        self, picture: Description, tags: Sequence[str] | None
    ) -> tuple[Looked, Rules, list[Judged]]:
        try:
            async with asyncio.timeout(self._settings.match_seconds):
                with self._measures.timed(Stage.SCAN):
                    looked, rules = await self.index.look(picture, tags)
                self._measures.count_scan(looked, self.index.size[0])
                with self._measures.timed(Stage.FEATURES):
                    features = await self._features(looked)
                with self._measures.timed(Stage.VERIFY):
                    judged = await asyncio.to_thread(judge, picture, looked, features, rules)
        except TimeoutError as error:
            raise UnavailableError("The comparison took too long; ask again.") from error
        return looked, rules, judged

    def _found(self, compared: int, matches: Sequence[Match]) -> Found:
        for match in matches:
            self._measures.count_match(match)
        return Found(compared, tuple(matches))

    async def _features(self, looked: Looked) -> dict[str, LocalFeatures | None]:
        packed = await self._cache.read(looked.wanted)
        return await asyncio.to_thread(
            lambda: {id_: features_of(id_, None, one) for id_, one in packed.items()}
        )

    async def _protected_of(self, judged: Sequence[Judged]) -> dict[str, Document]:
        """Return what matches say of images, of those that are protected at this moment."""
        if not judged:
            return {}
        documents = await self._images.facts(one.protected_id for one in judged)
        now = utc_now()
        return {id_: one for id_, one in documents.items() if is_protected_at(one, now)}

    async def _backwards(
        self, protected: Picture, gathered: Sequence[tuple[Worth, Document]], rules: Rules
    ) -> AsyncIterator[tuple[Document, Judged]]:
        """Judge the detected images that may show a photo, some at a time."""
        for start in range(0, len(gathered), _JUDGED_AT_ONCE):
            some = [document for _, document in gathered[start : start + _JUDGED_AT_ONCE]]
            packed = await self._images.descriptions([one["_id"] for one in some])
            for one in some:
                picture = self._described(one, packed.get(one["_id"]))
                if judged := await asyncio.to_thread(judge_pair, picture, protected, rules):
                    yield one, judged

    def _worth(
        self, protected: Picture, documents: Sequence[Document], rules: Rules
    ) -> list[tuple[Worth, Document]]:
        pictures = [scanned(one) for one in documents]
        worth = worth_judging(protected.description, pictures, rules)
        return [(one, documents[one.place]) for one in worth]

    def _described(self, document: Document, packed: bytes | None) -> Description:
        return description_of(document, packed, profile=self._budgets.profile)


def _candidate(judged: Judged, protected: Document) -> Candidate:
    facts = ProtectedFacts.of(protected)
    return Candidate(
        protected_id=facts.id,
        owner_id=facts.owner_id,
        title=facts.title,
        verdict=judged.verdict,
        confident=judged.confident,
        distance=judged.distance,
        decision_distance=judged.decision_distance,
        verification=judged.verification,
    )
