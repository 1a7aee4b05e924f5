"""A registration service, with a real fingerprint service behind it."""

from collections.abc import AsyncIterator

import pytest

from services.registration.main import create_app
from srpitp_contracts.registration import IssuedKey
from tests.services.registration.registering import Registrar, registrar_at
from tests.serving import Running


@pytest.fixture
async def registrar(
    environment: dict[str, str],
    fingerprint_address: str,
    running: Running,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Registrar]:
    monkeypatch.setenv("SRPITP_FINGERPRINT_URL", fingerprint_address)
    async with running(create_app()) as address, registrar_at(address) as registrar:
        yield registrar


@pytest.fixture
async def owner(registrar: Registrar) -> IssuedKey:
    return await registrar.owner()
