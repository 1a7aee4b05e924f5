"""A service as a process: it serves, logs JSON, and lets a request end when it is told to end."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import httpx
import pytest

from srpitp_servicekit.embedded import free_port
from tests.deadlines import eventually

PROGRAM = """
import asyncio, contextlib, logging
from fastapi import APIRouter
from srpitp_contracts.names import ServiceName
from srpitp_servicekit.app import build_app
from srpitp_servicekit.server import serve
from srpitp_servicekit.settings import ServiceSettings

router = APIRouter()

@router.get("/slow")
async def slow() -> str:
    logging.getLogger("srpitp.test").info("begun")
    await asyncio.sleep(1)
    return "ended well"

@contextlib.asynccontextmanager
async def lifespan(app):
    yield
    logging.getLogger("srpitp.test").info("closed")

app = build_app(ServiceName.MATCHER, router, lifespan, description="")
serve(app, ServiceName.MATCHER, ServiceSettings())
"""


@pytest.mark.parametrize("setting", ["SRPITP_PORT", "SRPITP_MATCHER_URL"])
async def test_process_serves_and_ends_gracefully(
    environment: dict[str, str], tmp_path: Path, setting: str
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    value = str(port) if setting == "SRPITP_PORT" else url
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        env=os.environ | {setting: value},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with httpx.AsyncClient(base_url=url) as http:

            async def is_live() -> bool:
                assert process.returncode is None
                try:
                    return (await http.get("/health/live")).is_success
                except httpx.HTTPError:
                    return False

            await eventually(is_live, seconds=30)
            slow = asyncio.create_task(http.get("/v1/slow", headers={"X-Request-ID": "mine"}))
            assert process.stderr
            async for line in process.stderr:
                said = json.loads(line)
                if said["message"] == "begun":
                    break
            assert said["request_id"] == "mine"
            process.send_signal(signal.SIGTERM)
            response = await slow
            assert response.json() == "ended well"
            assert "server" not in response.headers
        rest = [json.loads(line) async for line in process.stderr]
        assert "closed" in [said["message"] for said in rest]
        async with asyncio.timeout(10):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
