"""A matcher that is served, with neighbours that record what they are told."""

import os
from collections.abc import AsyncIterator

import pytest

from services.matcher.main import create_app
from services.matcher.settings import Settings
from srpitp_servicekit.mongo import Database
from tests.services.matcher.world import World, a_world
from tests.serving import Running


@pytest.fixture
async def world(
    db: Database, running: Running, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    # Only what is exact is confirmed by rule, unless a test says otherwise.
    monkeypatch.setenv("SRPITP_ALARM_BUDGET", os.environ.get("SRPITP_ALARM_BUDGET", "1e-30"))
    async with a_world(db, running, monkeypatch, lambda: create_app(Settings())) as world:
        yield world
