"""The registration service as a process that kills itself at a step of its first registration.

``python -m tests.services.registration.dying STEP``.
"""

import sys
from enum import StrEnum

from services.registration.main import create_app
from services.registration.settings import Settings
from services.registration.store import RegistrationStore
from srpitp_contracts.names import ServiceName
from srpitp_servicekit.blobs import BlobStore
from srpitp_servicekit.server import serve
from tests.services.processes import die_after


class Step(StrEnum):
    """After what it dies."""

    FILE_STORED = "file stored"
    CLAIMS_WRITTEN = "claims written"
    IMAGE_WRITTEN = "image written"
    DESCRIPTION_WRITTEN = "description written"
    MESSAGE_WRITTEN = "message written"
    COMMITTED = "committed"


_AFTER: dict[Step, tuple[type, str]] = {
    Step.FILE_STORED: (BlobStore, "put"),
    Step.CLAIMS_WRITTEN: (RegistrationStore, "_claim"),
    Step.IMAGE_WRITTEN: (RegistrationStore, "_insert_once"),
    Step.DESCRIPTION_WRITTEN: (RegistrationStore, "_describe"),
    Step.MESSAGE_WRITTEN: (RegistrationStore, "_tell_matcher"),
    Step.COMMITTED: (RegistrationStore, "register"),
}


if __name__ == "__main__":
    die_after(*_AFTER[Step(sys.argv[1])])
    settings = Settings()
    serve(create_app(settings), ServiceName.REGISTRATION, settings)
