"""The fingerprint service's worker processes: killed, too slow, too many at once, orphaned."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from services.fingerprint.main import create_app
from srpitp_contracts.problems import ProblemCode
from srpitp_fingerprint import ImageError
from srpitp_servicekit.embedded import free_port
from tests.deadlines import eventually
from tests.keys import SERVICE_KEY, bearer
from tests.services import images
from tests.serving import Running

GOOD = images.jpeg(images.photo())
KEY = bearer(SERVICE_KEY)
_BUSY_BYTES = 190 * 2**20
"""A worker holds two thirds of this until it decodes `images.slow_png`."""

Serving = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def serving(
    environment: dict[str, str], running: Running, monkeypatch: pytest.MonkeyPatch
) -> Serving:
    """``serving(name=value)`` runs the service with settings and gives a client of it."""

    @asynccontextmanager
    async def serve(**settings: object) -> AsyncIterator[httpx.AsyncClient]:
        for name, value in settings.items():
            monkeypatch.setenv(f"SRPITP_FINGERPRINT_{name}".upper(), str(value))
        async with (
            running(create_app()) as address,
            httpx.AsyncClient(base_url=address, headers=KEY, timeout=60) as client,
        ):
            yield client

    return serve


async def post(client: httpx.AsyncClient, data: bytes) -> httpx.Response:
    return await client.post("/v1/fingerprints", content=data)


def workers_of(pid: int) -> set[int]:
    """Return the worker processes of a service."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    children = {int(child) for children in lists for child in children.read_text().split()}
    return {child for child in children if b"srpitp_servicekit.decoding.worker" in _command(child)}


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def memory_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


async def kill_the_busy_one(*, but: int = 0) -> int:
    async with asyncio.timeout(30):
        while True:
            for worker in workers_of(os.getpid()) - {but}:
                if memory_of(worker) > _BUSY_BYTES:
                    os.kill(worker, signal.SIGKILL)
                    return worker
            await asyncio.sleep(0.005)


async def test_an_image_survives_the_death_of_its_worker(serving: Serving) -> None:
    async with serving(workers=2) as client:
        answering = asyncio.create_task(post(client, images.slow_png()))
        await kill_the_busy_one()
        assert (await answering).status_code == 200


async def test_an_image_whose_workers_die_is_refused_alone(serving: Serving) -> None:
    async with serving(workers=2) as client:
        answering = asyncio.create_task(post(client, images.slow_png()))
        first = await kill_the_busy_one()
        await kill_the_busy_one(but=first)
        answer = await answering
        assert answer.status_code == 422
        assert answer.json()["code"] == ProblemCode.IMAGE_BROKEN
        answers = await asyncio.gather(*(post(client, GOOD) for _ in range(4)))
        assert [answer.status_code for answer in answers] == [200] * 4


async def test_workers_that_die_idle_are_replaced(serving: Serving) -> None:
    async with serving(workers=2) as client:
        for worker in workers_of(os.getpid()):
            os.kill(worker, signal.SIGKILL)
        answers = await asyncio.gather(*(post(client, GOOD) for _ in range(4)))
        assert [answer.status_code for answer in answers] == [200] * 4


async def test_an_image_that_takes_too_long_is_refused_alone(serving: Serving) -> None:
    async with serving(workers=1, time_limit_seconds=0.3) as client:
        (worker,) = workers_of(os.getpid())
        answer = await post(client, images.slow_png())
        assert answer.status_code == 422
        assert answer.json()["code"] == ProblemCode.IMAGE_TOO_SLOW
        assert worker not in workers_of(os.getpid())
        assert (await post(client, GOOD)).status_code == 200


async def test_an_image_that_takes_too_much_memory_is_refused_alone(serving: Serving) -> None:
    async with serving(workers=1, worker_memory_bytes=3 * 2**28) as client:
        answer = await post(client, images.deep_png())
        assert answer.status_code == 422
        assert (await post(client, GOOD)).status_code == 200


async def test_a_bomb_costs_no_memory(serving: Serving) -> None:
    async with serving(workers=1) as client:
        (worker,) = workers_of(os.getpid())
        await post(client, GOOD)
        before = _peak_memory_of(worker)
        answer = await post(client, images.png_bomb())
        assert answer.json()["code"] == ProblemCode.IMAGE_TOO_MANY_PIXELS
        assert _peak_memory_of(worker) - before < 8 * 2**20


def _peak_memory_of(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line) * 1024


_HOSTILE = """
import json, sys
print('"ready"', flush=True)
[length] = json.loads(sys.stdin.buffer.readline())["sizes"]
sys.stdin.buffer.read(length)
print({answer}, flush=True)
sys.stdin.buffer.read()
"""


@pytest.mark.parametrize(
    "answer", ["'x' * 2**20", "'nonsense'", "'{}'", "b'\\xff'", "'[' * 100_000"]
)
async def test_a_worker_that_was_taken_over_harms_its_own_image_only(
    serving: Serving, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    async with serving(workers=1) as client:
        assert (await post(client, GOOD)).status_code == 200
        for worker in workers_of(os.getpid()):
            os.kill(worker, signal.SIGKILL)
        with monkeypatch.context() as patch:
            script = _HOSTILE.format(answer=answer)
            patch.setattr("srpitp_servicekit.decoding.child._WORKER", ("-c", script))
            refused = await post(client, GOOD)
        assert refused.status_code == 422
        assert refused.json()["code"] == ProblemCode.IMAGE_BROKEN
        assert (await post(client, GOOD)).status_code == 200


async def test_a_full_queue_refuses_and_does_not_grow(serving: Serving) -> None:
    async with serving(workers=1, queue_limit=1) as client:
        answers = await asyncio.gather(*(post(client, images.slow_png()) for _ in range(5)))
        by_status = sorted(answer.status_code for answer in answers)
        assert by_status == [200, 200, 503, 503, 503]
        refused = next(answer for answer in answers if answer.status_code == 503)
        assert int(refused.headers["retry-after"]) > 0
        assert refused.json()["code"] == ProblemCode.SERVICE_UNAVAILABLE
        assert (await post(client, GOOD)).status_code == 200


async def test_work_does_not_keep_the_service_from_saying_that_it_lives(serving: Serving) -> None:
    async with serving() as client:
        posting = asyncio.gather(*(post(client, GOOD) for _ in range(50)))
        slowest = 0.0
        while not posting.done():
            began = time.monotonic()
            assert (await client.get("/health/live")).status_code == 200
            slowest = max(slowest, time.monotonic() - began)
        assert {answer.status_code for answer in await posting} == {200}
        assert slowest < 2  # milliseconds on a machine of one's own


async def test_a_worker_knows_no_key_of_ours(serving: Serving) -> None:
    async with serving(workers=1):
        (worker,) = workers_of(os.getpid())
        assert b"SRPITP_" not in _environment_of(worker)


def _environment_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_no_worker_outlives_the_service(environment: dict[str, str], how: int) -> None:
    port = free_port()
    service = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.fingerprint.main",
        env={**os.environ, "SRPITP_PORT": str(port), "SRPITP_FINGERPRINT_WORKERS": "2"},
    )
    try:
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, headers=KEY, timeout=60) as client:
            await eventually(lambda: _is_live(client), seconds=60)
            workers = workers_of(service.pid)
            assert len(workers) == 2
            posting = asyncio.create_task(post(client, images.slow_png()))
            await eventually(lambda: _one_is_busy(workers))
            service.send_signal(how)
            if how == signal.SIGKILL:
                with pytest.raises(httpx.HTTPError):
                    await posting
            else:
                assert (await posting).status_code == 200
        await asyncio.wait_for(service.wait(), 30)
        await eventually(lambda: _all_ended(workers), seconds=5)
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
    finally:
        if service.returncode is None:
            service.kill()
            await service.wait()


async def _is_live(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/health/live")).is_success
    except httpx.ConnectError:
        return False


async def _one_is_busy(workers: set[int]) -> bool:
    return any(memory_of(worker) > _BUSY_BYTES for worker in workers)


async def _all_ended(workers: set[int]) -> bool:
    return not any(_command(worker) for worker in workers)


def test_every_error_of_the_library_has_a_code_on_the_wire() -> None:
    assert {error.code for error in ImageError.__subclasses__()} <= set(ProblemCode)
