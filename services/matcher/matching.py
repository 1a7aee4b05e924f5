"""Which protected images a detected image shows, and the reverse (paper, Algorithm 2, step 8)."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from services.matcher.engine import Bank, Pair, Rule, compare
from services.matcher.index import LiveIndex, Protected
from services.matcher.store import Detected, MatcherStore
from srpitp_contracts.identifiers import match_id
from srpitp_contracts.matching import Match, MatchState, Verdict
from srpitp_contracts.model import utc_now

EXACT_RULE = "rule:exact"


@dataclass(frozen=True)
class Found:
    """What a comparison came to."""

    compared: int
    matches: tuple[Match, ...]
    """As they are to be noted, unless the pair was judged before."""


NOTHING = Found(0, ())


class Matching:
    """Compares what is new on either side with all of the other."""

    def __init__(self, store: MatcherStore, rule: Rule) -> None:
        self._store = store
        self._index = LiveIndex(store)
        self._rule = rule

    async def of_detected(self, detected_id: str, tag: str) -> Found:
        """Compare a detected image with the protected images of each of its tags."""
        detected = await self._store.detected_image(tag, detected_id)
        if detected is None:  # expired since
            return NOTHING
        now = utc_now()
        bank = Bank([detected.candidate])
        compared, matches = 0, list[Match]()
        for searched in detected.tags:
            protected = await self._index.at(searched, now)
            compared += len(protected.images)
            for pair in await asyncio.to_thread(compare, bank, protected.bank, self._rule):
                matches.append(
                    self._judge(pair, protected.images[pair.protected_id], detected, searched, now)
                )
        return Found(compared, tuple(matches))

    async def of_protected(self, protected_id: str, tag: str) -> Found:
        """Compare a protected image with the images that were detected before it was registered."""
        now = utc_now()
        found = await self._store.protected_images(tag, [protected_id])
        if not found or not found[0].is_protected_at(now):
            return NOTHING
        [protected] = found
        bank = Bank([protected.candidate])
        compared, matches = 0, list[Match]()
        async for batch in self._store.detected_images(tag):
            compared += len(batch)
            detected = {image.candidate.id: image for image in batch}
            candidates = Bank([image.candidate for image in batch])
            for pair in await asyncio.to_thread(compare, candidates, bank, self._rule):
                matches.append(self._judge(pair, protected, detected[pair.detected_id], tag, now))
        return Found(compared, tuple(matches))

    def _judge(
        self, pair: Pair, protected: Protected, detected: Detected, tag: str, now: datetime
    ) -> Match:
        """Apply formula (2): exact is noted at once, similar goes to a reviewer."""
        exact = pair.verdict is Verdict.EXACT
        return Match(
            id=match_id(pair.protected_id, pair.detected_id),
            owner_id=protected.owner_id,
            protected_id=pair.protected_id,
            protected_title=protected.title,
            protected_digest=protected.candidate.digest,
            detected_id=pair.detected_id,
            detected_digest=detected.candidate.digest,
            detected_tag=detected.tag,
            image_address=detected.image_address,
            tag=tag,
            verdict=pair.verdict,
            distance=pair.distance,
            decision_distance=pair.decision_distance,
            threshold=self._rule.threshold,
            state=MatchState.CONFIRMED if exact else MatchState.IN_REVIEW,
            decided_by=EXACT_RULE if exact else None,
            decided_at=now if exact else None,
            note="",
            created_at=now,
        )
