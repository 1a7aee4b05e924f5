"""Telling of the matches that a Spark job added: once each, as if found by the matcher itself.

A job adds a match with ``untold``. Whoever takes that mark away does, in the same transaction, all
that follows on a match; so nothing is lost with a process that is killed, and nothing told twice.
"""

import logging
from contextlib import AbstractAsyncContextManager

from services.matcher.noting import Noting
from services.matcher.store import MatcherStore
from srpitp_contracts.matching import Match
from srpitp_servicekit.background import Loop
from srpitp_servicekit.mongo import Session

logger = logging.getLogger(__name__)


class Untold:
    """Takes up what jobs have found, while they go on."""

    def __init__(self, store: MatcherStore, noting: Noting) -> None:
        self._store = store
        self._noting = noting
        self._loop = Loop("untold", self.tell)

    def running(self) -> AbstractAsyncContextManager[None]:
        """Tell for as long as the block lasts."""
        return self._loop.running()

    async def tell(self) -> bool:
        """Tell of every match that is untold; return whether there was one to tell of."""
        told = False
        async for match in self._store.untold():
            told |= await self._tell_of(match)
        return told

    async def _tell_of(self, match: Match) -> bool:
        async def work(session: Session) -> bool:
            taken = await self._store.take_untold(session, match)
            if taken is not None:
                await self._noting.settle(session, taken)
            return taken is not None

        try:
            told = await self._store.transaction(work)
        except Exception:  # the others are told of; this one is tried again
            logger.exception("match %s is still to be told of", match.id)
            return False
        self._noting.wake()
        return told
