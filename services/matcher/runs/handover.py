"""Handing over to Spark: more work than the matcher should do is done by a run.

As long as such a run goes on, whoever tells the matcher of an image that was stored before it is
answered 503 ``handed_over`` and tells again later. So nothing depends on the run: it may fail, or
miss an image, and the image is compared here in the end. What is stored meanwhile is compared at
once. When the run has finished, an image that it must have compared is answered for from the store.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from services.matcher.runs.handover_store import HandoverStore, Known
from services.matcher.runs.settings import WatchSettings
from services.matcher.runs.store import RunStore
from srpitp_contracts.identifiers import random_id
from srpitp_contracts.matching import MatchingOutcome
from srpitp_contracts.model import utc_now
from srpitp_contracts.problems import ProblemCode
from srpitp_contracts.runs import ENDED, Run, RunKind, RunReason, RunRequest, new_run
from srpitp_servicekit.problems import UnavailableError

logger = logging.getLogger(__name__)

_ASK_AGAIN_SECONDS = 600
_REMEMBERED = timedelta(hours=3)  # whoever was told to ask again has done so by then
_CLOCKS = timedelta(minutes=2)  # by so much they may differ, and a transaction may last
_FRESH = timedelta(seconds=1)


class HandedOverError(UnavailableError):
    """A Spark run compares the image; tell of it again later."""

    code = ProblemCode.HANDED_OVER


class Handover:
    """Knows which images are a run's, and starts one when too much waits.

    Parameters
    ----------
    runs
        The runs.
    store
        What waits.
    settings
        How much is too much.
    wake
        Called when there is a run to be launched.
    """

    def __init__(
        self,
        runs: RunStore,
        store: HandoverStore,
        settings: WatchSettings,
        wake: Callable[[], None],
    ) -> None:
        self._runs = runs
        self._store = store
        self._settings = settings
        self._wake = wake
        self._going_on: Run | None = None
        self._done: Run | None = None
        self._looked_at: datetime | None = None

    async def hand_over_if_due(self) -> bool:
        """Start a run if more waits than the matcher should do; return whether it did."""
        limit = self._settings.handover_pairs
        if limit is None or await self._runs.alone(RunReason.HANDOVER) is not None:
            return False
        waiting = await self._store.waiting()
        if waiting.pairs <= limit:
            return False
        now = utc_now()
        pause = timedelta(seconds=self._settings.handover_pause_seconds)
        if await self._runs.failed_since(RunReason.HANDOVER, now - pause):
            return False
        request = RunRequest(kind=RunKind.MATCH)
        launcher = self._settings.run_launcher
        run = new_run(random_id(), request, RunReason.HANDOVER, launcher, now)
        if await self._runs.add(run) is None:  # another matcher was faster
            return False
        logger.info("%d pairs wait: they are handed over to run %s", waiting.pairs, run.id)
        self._looked_at = None
        self._wake()
        return True

    async def of_detected(self, id_: str, tag: str) -> MatchingOutcome | None:
        """Return what is to be answered for a detected image, or None if it is to be compared.

        Raises
        ------
        HandedOverError
            A run compares it.
        """
        if await self._nothing_to_ask():
            return None
        known = await self._store.detected(tag, id_)
        return await self._answer(known, {"detected_id": id_})

    async def of_protected(self, id_: str, tag: str) -> MatchingOutcome | None:
        """Return what is to be answered for a protected image, or None if it is to be compared.

        Raises
        ------
        HandedOverError
            A run compares it.
        """
        if await self._nothing_to_ask():
            return None
        known = await self._store.protected(tag, id_)
        return await self._answer(known, {"protected_id": id_})

    async def _nothing_to_ask(self) -> bool:
        now = utc_now()
        if self._looked_at is None or now - self._looked_at > _FRESH:
            alone = await self._runs.alone(RunReason.HANDOVER)
            self._going_on = alone if alone and alone.state not in ENDED else None
            self._done = await self._runs.latest_of_everything(now - _REMEMBERED)
            self._looked_at = now
        return self._going_on is None and self._done is None

    async def _answer(self, known: Known | None, match: dict[str, str]) -> MatchingOutcome | None:
        if known is None:
            return None
        if self._done and known.compared and was_there(known.stored_at, self._done):
            return MatchingOutcome(compared=0, matches=await self._store.matches(match))
        if self._going_on and known.stored_at < self._going_on.created_at:
            raise HandedOverError(
                f"Run {self._going_on.id} compares it; tell of it again later.",
                retry_after_seconds=_ASK_AGAIN_SECONDS,
            )
        return None


def was_there(stored_at: datetime, run: Run) -> bool:
    """Return whether an image was surely in the store when a run's job began.

    Then the run has compared it with whatever was there too; and what was stored later finds it
    when it is compared itself.
    """
    return run.started_at is not None and stored_at + _CLOCKS < run.started_at
