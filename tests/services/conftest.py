"""A real fingerprint service, for the services that ask one."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from services.fingerprint.main import create_app
from services.fingerprint.settings import Settings
from tests.keys import SERVICE_KEY
from tests.serving import Running


@pytest.fixture(scope="session")
async def fingerprint_address(mongodb_uri: str, running: Running) -> AsyncIterator[str]:
    """A fingerprint service that all tests share: it keeps nothing."""
    settings = Settings(
        mongodb_uri=mongodb_uri, service_key=SecretStr(SERVICE_KEY), fingerprint_workers=1
    )
    async with running(create_app(settings)) as address:
        yield address
