"""What the service says of an image beyond what its worker reads (paper, steps 2 and 6)."""

from typing import Any

from services.fingerprint.engine import Engine
from srpitp_contracts.fingerprints import Extraction
from srpitp_contracts.problems import ProblemCode
from srpitp_servicekit.problems import ImageRefusedError
from srpitp_servicekit.uploads import UploadFile


class FingerprintService:
    """Fingerprints images."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def refuse_when_full(self) -> None:
        """Raise `UnavailableError` when an image that came now would have no place."""
        self._engine.refuse_when_full()

    async def extract(self, image: UploadFile) -> Extraction:
        """Return everything that is read from an image."""
        return extraction_of(await self._engine.extract(image), size_bytes=image.size or 0)


def extraction_of(answer: dict[str, Any], *, size_bytes: int) -> Extraction:
    """Return a worker's answer as what we answer; raise when it refused the image."""
    if "code" in answer:
        detail = str(answer["detail"])
        raise ImageRefusedError(ProblemCode(answer["code"]), f"{detail[:1].upper()}{detail[1:]}.")
    extraction = Extraction.model_validate({**answer, "size_bytes": size_bytes})
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
