"""What a worker can be asked to do with images, and what comes of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from services.fingerprint.answers import extraction_of, picture_of
from srpitp_contracts.comparisons import ComparisonRequest
from srpitp_contracts.fingerprints import Extraction, Profile, Purpose
from srpitp_servicekit.decoding import child
from srpitp_servicekit.uploads import UploadFile

T = TypeVar("T")


@dataclass(frozen=True)
class Task(Generic[T]):
    """Images and what is wanted of them."""

    order: Mapping[str, Any]
    """for the worker, as JSON"""
    files: Sequence[UploadFile]
    read: Callable[[Any, Sequence[str]], T]
    """Takes what the worker said and the digests of the files; raises `WrongAnswerError`."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size or 0 for file in self.files)


def describing(image: UploadFile, purpose: Purpose, profile: Profile) -> Task[Extraction]:
    """Return the task of fingerprinting an image."""

    def read(answer: Any, digests: Sequence[str]) -> Extraction:
        return extraction_of(answer, digests[0], image.size or 0, purpose, profile)

    return Task(child.describing(purpose), [image], read)


def drawing(detected: UploadFile, protected: UploadFile, request: ComparisonRequest) -> Task[bytes]:
    """Return the task of drawing two images aligned, as a JPEG."""
    order = {"task": "draw", **request.model_dump(mode="json")}
    return Task(order, [detected, protected], lambda answer, _: picture_of(answer))
