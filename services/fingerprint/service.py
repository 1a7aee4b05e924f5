"""What the service says of an image beyond what its worker reads (paper, steps 2 and 6)."""

from services.fingerprint.engine import Engine
from services.fingerprint.tasks import describing, drawing
from srpitp_contracts.comparisons import ComparisonRequest
from srpitp_contracts.fingerprints import Extraction, Profile, Purpose
from srpitp_servicekit.uploads import UploadFile


class FingerprintService:
    """Fingerprints images, and draws them for those who compare them."""

    def __init__(self, engine: Engine, profile: Profile) -> None:
        self._engine = engine
        self._profile: Profile = profile

    def refuse_when_full(self) -> None:
        """Raise `UnavailableError` when an image that came now would have no place."""
        self._engine.refuse_when_full()

    async def draw(
        self, detected: UploadFile, protected: UploadFile, request: ComparisonRequest
    ) -> bytes:
        """Return a JPEG in which two images can be compared."""
        return await self._engine.do(drawing(detected, protected, request))

    async def extract(self, image: UploadFile, purpose: Purpose) -> Extraction:
        """Return everything that is read from an image."""
        extraction = await self._engine.do(describing(image, purpose, self._profile))
        return extraction.model_copy(update={"notes": notes_on(extraction)})


def notes_on(extraction: Extraction) -> list[str]:
    """Return what the registrant of an image should know of it."""
    notes = []
    if extraction.frames > 1:
        notes.append(
            f"The image has {extraction.frames} frames; only the first one is fingerprinted."
        )
    if extraction.textureless:
        notes.append(
            "The image is too plain to be told from other plain images: only copies of this "
            "very file will be found, not altered ones."
        )
    return notes
