"""Loops that run beside the routes: woken, or polling; an error is logged and tried again."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

logger = logging.getLogger(__name__)

Step = Callable[[], Awaitable[bool]]
"""Does one piece of work; returns whether there was any."""


class Loop:
    """Calls a step again and again: at once while there is work, else when woken or after a while.

    Parameters
    ----------
    name
        For the logs.
    step
        One piece of work.
    interval_seconds
        How long to sleep when there was no work and nobody wakes us.
    workers
        How many steps run side by side.
    """

    def __init__(
        self, name: str, step: Step, *, interval_seconds: float = 1.0, workers: int = 1
    ) -> None:
        self._name = name
        self._step = step
        self._interval = interval_seconds
        self._workers = workers
        self._awake = asyncio.Event()

    def wake(self) -> None:
        """Look for work now."""
        self._awake.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run in the background for as long as the block lasts."""
        tasks = [
            asyncio.create_task(self._run(), name=f"{self._name}-{number}")
            for number in range(self._workers)
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                worked = await self._step()
            except Exception:  # the loop outlives whatever one step meets
                logger.exception("%s: a step failed; it is tried again", self._name)
                worked = False
            if worked:
                continue
            # Not wait_for: before Python 3.12 it may swallow the cancellation that ends the loop.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._awake.wait()
            self._awake.clear()
