"""Waiting for what happens in the background: a condition and a deadline, never a fixed sleep."""

import asyncio
from collections.abc import Awaitable, Callable


async def eventually(condition: Callable[[], Awaitable[bool]], *, seconds: float = 15) -> None:
    """Return once the condition holds; fail when it does not within ``seconds``."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)
