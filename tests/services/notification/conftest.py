"""A notification service, and who subscribes to it."""

from collections.abc import AsyncIterator

import pytest

from srpitp_servicekit.mongo import Database
from tests.services.notification.receiver import Receiver
from tests.services.notification.world import World, a_world
from tests.serving import Running


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    async with receiver.running():
        yield receiver


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A schedule of three attempts for those without patience."""
    monkeypatch.setenv("SRPITP_DELIVERY_SCHEDULE_SECONDS", "[0, 0.05, 0.1]")
    monkeypatch.setenv("SRPITP_DELIVERY_TIMEOUT_SECONDS", "1")
    monkeypatch.setenv("SRPITP_DELIVERY_LEASE_SECONDS", "2")


@pytest.fixture
async def world(
    quick: None, db: Database, receiver: Receiver, running: Running
) -> AsyncIterator[World]:
    async with a_world(db, receiver, running) as world:
        yield world
