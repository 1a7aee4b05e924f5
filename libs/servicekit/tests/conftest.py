"""What the tests of this library share beside the workspace's own fixtures."""

import pytest

from srpitp_servicekit.settings import ServiceSettings
from tests.services.conftest import Running, running

__all__ = ["Running", "running"]


@pytest.fixture
def settings(environment: dict[str, str]) -> ServiceSettings:
    return ServiceSettings()
