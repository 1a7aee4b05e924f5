"""Judging matches anew when an allowance or an exclusion begins or ends.

Each such moment is work that waits in ``judgements``: claimed under a lease, done a match at a
time, and done over from its beginning by the next process if this one is killed. A match that is
being added at that very moment may have seen how things were before: so all is judged once more,
when whatever was under way has come to its end.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from services.matcher.noting import Noting
from services.matcher.suppression.store import Key, SuppressionStore
from srpitp_contracts.model import utc_now
from srpitp_servicekit.background import Loop

logger = logging.getLogger(__name__)

_TRANSACTIONS_END = timedelta(seconds=75)  # MongoDB ends each after 60 s


class Judging:
    """The loop that judges anew."""

    def __init__(self, judgements: SuppressionStore, noting: Noting) -> None:
        self._judgements = judgements
        self._noting = noting
        self._loop = Loop("matcher-judging", self.judge_one)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Judge in the background for as long as the block lasts."""
        async with self._loop.running():
            yield

    async def anew(self, reason: str, owner_id: str, at: datetime) -> None:
        """Judge an owner's matches anew, for what begins or ends at a moment."""
        await self._judgements.judge_anew(reason, owner_id, at)
        self.wake()

    def wake(self) -> None:
        """Look for work now."""
        self._loop.wake()

    async def judge_one(self) -> bool:
        """Judge the matches of one judgement that is due; return whether there was one."""
        judgement = await self._judgements.claim()
        if judgement is None:
            return False
        async with self._judgements.queue.holding(judgement.claimed):
            # The clock that said when it is due may run before ours.
            at = max(utc_now(), judgement.at)
            failed = [
                key
                async for key in self._judgements.open_to(judgement)
                if not await self._judge(key, at)
            ]
        self._noting.wake()
        if judgement.is_last and not failed:
            await self._judgements.finish(judgement)
        else:
            await self._judgements.once_more(judgement, _TRANSACTIONS_END)
        return True

    async def _judge(self, key: Key, at: datetime) -> bool:
        try:
            await self._noting.judge_now(key.owner_id, key.id, at)
        except Exception:  # the others are judged; this one is tried again with the next round
            logger.exception("match %s is still to be judged anew", key.id)
            return False
        return True
