"""A real MongoDB for every test: one ``mongod`` a run, one database a test."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from srpitp_contracts.identifiers import random_id
from srpitp_servicekit.embedded import running_mongod
from srpitp_servicekit.mongo import Database, open_database
from srpitp_servicekit.settings import ServiceSettings
from tests.keys import ADMIN_KEY, SERVICE_KEY


@pytest.fixture(scope="session")
def mongodb_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_mongod(tmp_path_factory.mktemp("mongod")) as uri:
        yield uri


@pytest.fixture
def environment(
    mongodb_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """The environment of a service under test: a fresh database and a fresh folder."""
    values = {
        "SRPITP_MONGODB_URI": mongodb_uri,
        "SRPITP_MONGODB_DATABASE": f"test_{random_id()[:12]}",
        "SRPITP_DATA_DIR": str(tmp_path / "data"),
        "SRPITP_ADMIN_KEY": ADMIN_KEY,
        "SRPITP_SERVICE_KEY": SERVICE_KEY,
        "SRPITP_EGRESS_ALLOW": '["127.0.0.0/8"]',
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return values


@pytest.fixture
async def db(environment: dict[str, str]) -> AsyncIterator[Database]:
    settings = ServiceSettings()
    async with open_database(settings) as database:
        yield database
        await database.client.drop_database(database.name)


@asynccontextmanager
async def transactions_that_live(db: Database, *, seconds: int) -> AsyncIterator[None]:
    """Shorten the wait for MongoDB to drop a dead process's transaction."""

    async def limit(value: int) -> None:
        await db.client.admin.command("setParameter", 1, transactionLifetimeLimitSeconds=value)

    await limit(seconds)
    try:
        yield
    finally:
        await limit(10)
