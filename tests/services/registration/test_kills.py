"""A registration service that is killed at any step; a MongoDB that goes away and comes back."""

import asyncio
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from services.registration.main import create_app
from srpitp_contracts.names import Collection
from srpitp_contracts.problems import ProblemCode
from srpitp_contracts.registration import IssuedKey
from srpitp_servicekit.embedded import free_port, start_mongod, stop, wait_for_primary
from srpitp_servicekit.mongo import Database
from tests.deadlines import eventually
from tests.mongodb import transactions_that_live
from tests.services import images
from tests.services.processes import dying_process
from tests.services.registration.dying import Step
from tests.services.registration.registering import Registrar, image_of, refused_with, registrar_at
from tests.serving import Running

GOOD = images.jpeg(images.photo())
IN_TRANSACTION = {
    Step.CLAIMS_WRITTEN,
    Step.IMAGE_WRITTEN,
    Step.DESCRIPTION_WRITTEN,
    Step.MESSAGE_WRITTEN,
}


async def register_until_death(step: Step, owner: IssuedKey, headers: dict[str, str]) -> None:
    """Send a photo to a service of its own, which is killed after a step."""
    async with (
        dying_process("tests.services.registration.dying", step) as address,
        registrar_at(address) as dying,
    ):
        with pytest.raises(httpx.TransportError):
            await dying.protect(GOOD, owner, headers)


async def is_taken(registrar: Registrar, owner: IssuedKey, headers: dict[str, str]) -> bool:
    answer = await registrar.protect(GOOD, owner, headers)
    if answer.status_code == 503:  # MongoDB still keeps the locks of the dead process
        assert int(answer.headers["retry-after"]) > 0
        return False
    image_of(answer)
    return True


@pytest.mark.parametrize("step", list(Step))
async def test_a_killed_registration_is_done_wholly_or_not_at_all(
    registrar: Registrar, db: Database, step: Step
) -> None:
    owner = await registrar.owner()
    once = {"Idempotency-Key": "upload-1"}
    async with transactions_that_live(db, seconds=1 if step in IN_TRANSACTION else 10):
        await register_until_death(step, owner, once)
        kept = 1 if step is Step.COMMITTED else 0
        assert await db[Collection.PROTECTED].count_documents({}) == kept
        assert await db[Collection.DESCRIPTIONS].count_documents({}) == kept
        assert await db[Collection.REGISTRY].count_documents({}) == 2 * kept
        assert await db[Collection.OUTBOX].count_documents({}) == kept
        if kept:
            answer = await registrar.protect(GOOD, owner)
            refused_with(answer, 409, ProblemCode.ALREADY_PROTECTED)
        await eventually(lambda: is_taken(registrar, owner, once), seconds=60)
    assert await db[Collection.PROTECTED].count_documents({}) == 1
    assert await db[Collection.DESCRIPTIONS].count_documents({}) == 1
    assert await db[Collection.REGISTRY].count_documents({}) == 2
    assert await db[Collection.OUTBOX].count_documents({}) == 1


class OwnMongo:
    """A ``mongod`` that a test may end and start again, with the same data on the same port."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        self._process = start_mongod(self._folder, self._port)
        return wait_for_primary(self._process, self._folder, self._port)

    def signal(self, number: int) -> None:
        assert self._process
        self._process.send_signal(number)
        if number == signal.SIGKILL:
            self._process.wait()

    def end(self) -> None:
        if self._process:
            self._process.send_signal(signal.SIGCONT)
            stop(self._process)


@pytest.fixture
def own_mongo(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[OwnMongo]:
    mongo = OwnMongo(tmp_path / "mongod")
    monkeypatch.setenv("SRPITP_MONGODB_URI", mongo.start())
    yield mongo
    mongo.end()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_requests_get_503_while_mongodb_is_away_and_work_again_after(
    own_mongo: OwnMongo,
    registrar: Registrar,
    how: int,
) -> None:
    owner = await registrar.owner()
    first = image_of(await registrar.protect(GOOD, owner))
    own_mongo.signal(how)
    other = images.jpeg(images.photo(1))
    for _ in range(2):
        answer = await registrar.protect(other, owner)
        refused_with(answer, 503, ProblemCode.STORE_UNAVAILABLE)
        assert int(answer.headers["retry-after"]) > 0
    answer = await registrar.call("GET", "/health/ready")
    refused_with(answer, 503, ProblemCode.STORE_UNAVAILABLE)
    assert (await registrar.call("GET", "/health/live")).is_success

    if how == signal.SIGSTOP:
        own_mongo.signal(signal.SIGCONT)
    else:
        await asyncio.to_thread(own_mongo.start)
    await eventually(lambda: _is_ready(registrar), seconds=60)
    image_of(await registrar.protect(other, owner))
    answer = await registrar.call("GET", f"/v1/images/{first.id}", key=owner.secret)
    assert image_of(answer) == first


async def _is_ready(registrar: Registrar) -> bool:
    return (await registrar.call("GET", "/health/ready")).is_success


async def test_the_service_starts_while_mongodb_is_away(
    own_mongo: OwnMongo,
    fingerprint_address: str,
    running: Running,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SRPITP_FINGERPRINT_URL", fingerprint_address)
    own_mongo.signal(signal.SIGKILL)
    async with running(create_app()) as address, registrar_at(address) as registrar:
        answer = await registrar.call("GET", "/v1/owners")
        refused_with(answer, 503, ProblemCode.STORE_UNAVAILABLE)
        await asyncio.to_thread(own_mongo.start)
        await eventually(lambda: _is_ready(registrar), seconds=60)
        owner = await registrar.owner()
        image_of(await registrar.protect(GOOD, owner))


async def test_registrations_get_503_while_the_fingerprint_service_is_away(
    environment: dict[str, str],
    fingerprint_address: str,
    running: Running,
    monkeypatch: pytest.MonkeyPatch,
    db: Database,
) -> None:
    monkeypatch.setenv("SRPITP_FINGERPRINT_URL", f"http://127.0.0.1:{free_port()}")
    async with running(create_app()) as address, registrar_at(address) as registrar:
        owner = await registrar.owner()
        answer = await registrar.protect(GOOD, owner)
        problem = refused_with(answer, 503, ProblemCode.SERVICE_UNAVAILABLE)
        assert "fingerprint" in problem.detail
        assert int(answer.headers["retry-after"]) > 0
        assert await db[Collection.PROTECTED].count_documents({}) == 0
