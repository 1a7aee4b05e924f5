"""Services as processes of their own: they are killed from outside, or kill themselves."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from srpitp_servicekit.embedded import free_port
from tests.deadlines import eventually


@asynccontextmanager
async def service_process(
    module: str, *arguments: str, port: int = 0
) -> AsyncIterator[tuple[Process, str]]:
    """Run ``python -m module`` until it is ready, and give it with its address.

    It is killed without mercy at the end, if it still lives.
    """
    port = port or free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, env=os.environ | {"SRPITP_PORT": str(port)}
    )
    address = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient(base_url=address) as http:

            async def is_ready() -> bool:
                assert process.returncode is None, "it ended; what it wrote says why"
                try:
                    return (await http.get("/health/ready")).is_success
                except httpx.TransportError:
                    return False

            await eventually(is_ready, seconds=60)
        yield process, address
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def dying_process(module: str, step: str) -> AsyncIterator[str]:
    """Do the same with a service that is killed at a step before the block ends."""
    async with service_process(module, step) as (process, address):
        yield address
        assert await asyncio.wait_for(process.wait(), 30) == -signal.SIGKILL


def die_after(place: type, name: str, *, calls: int = 1) -> None:
    """Have this process killed when a method has been called so often.

    A kill from outside cannot aim so well.
    """
    method = getattr(place, name)
    left = calls

    async def deadly(*args: Any, **kwargs: Any) -> Any:
        nonlocal left
        answer = await method(*args, **kwargs)
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    setattr(place, name, deadly)
