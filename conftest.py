"""What every test of the workspace has: a real MongoDB, and a watch over what is asked of it."""

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

pytest_plugins = ("tests.mongodb", "tests.command_listener", "tests.serving")

# How long an example takes says nothing where other tests run beside it.
settings.register_profile("beside others", settings.default, deadline=None)
settings.load_profile("beside others")

_SHARING = ("libs/client/tests/", "tests/spark/")
"""Where all files share what takes long to start: a whole SRPITP, a Spark session."""


class _ByWhatIsShared(LoadFileScheduling):
    """Gives the tests of a file to one worker, and those of files that share something, too."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return next((folder for folder in _SHARING if file.startswith(folder)), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling:
    """Make the suite's own scheduler, whatever ``--dist`` says."""
    return _ByWhatIsShared(config, log)
