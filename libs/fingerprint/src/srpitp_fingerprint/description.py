"""What is known of an image, and the bytes in which it is stored and sent."""

import struct
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

import numpy as np

from .elements import Profile
from .features import LONG_SIDE, LocalFeatures
from .formats import Format
from .sketch import SKETCH_BYTES
from .symbols import FINGERPRINT_BYTES
from .trimming import WHOLE, Box
from .views import VIEW_SETS

__all__ = ["FP_VERSION", "Description", "Extraction", "View"]

FP_VERSION = 1
"""Version of the definition: fingerprints of different versions are not comparable."""

_MAGIC = b"SRFD\x02"  # the last byte is the version of what follows
_FACTS = struct.Struct("<H32sIIId?")
_LENGTH = struct.Struct("<I")
_BOX = struct.Struct("<4d")
_PROFILES: tuple[Profile, ...] = get_args(Profile)
_FORMATS: tuple[Format | Literal["array"], ...] = (*get_args(Format), "array")
_VIEW_NAMES = tuple(dict.fromkeys(name for names in VIEW_SETS.values() for name in names))
# More than any picture has; they bound what a comparison of hostile bytes can cost.
_MOST_POINTS, _MOST_THUMBNAIL, _MOST_OCTAVE, _MOST_PANELS = 1024, 256, 31, 16

_Name = TypeVar("_Name", bound=str)


@dataclass(frozen=True, slots=True)
class View:
    """One rendition of a picture that is registered for it.

    Attributes
    ----------
    name : str
        ``"whole"``: the picture as it is; see `VIEW_SETS`.
    fingerprint : bytes
        180 bytes.
    sketch : bytes
        32 bytes: the second, small fingerprint.
    """

    name: str
    fingerprint: bytes
    sketch: bytes


@dataclass(frozen=True, slots=True)
class Extraction:
    """What `extract` found.

    Attributes
    ----------
    digest : str
        SHA-256 of the file's bytes, hexadecimal. Of an array: of its type, its shape and its
        pixels in C order (``sha256(b"uint8 (375, 500, 3)" + pixels)``), so not that of any file.
    width, height : int
        Pixels, upright.
    format : str
        ``jpeg``, ``png``, ``webp``, ``gif``, ``bmp``, ``tiff``, ``avif`` or ``array``.
    frames : int
        Above 1 for an animated image, of which only the first frame was used.
    quality : float
        How much the picture tells, 0..1; see `srpitp_fingerprint.quality`.
    textureless : bool
        Too little to be told from other such pictures: only an exact match means anything.
    profile : {"robust", "paper"}
    fp_version : int
    views : tuple of View
    """

    digest: str
    width: int
    height: int
    format: Format | Literal["array"]
    frames: int
    quality: float
    textureless: bool
    profile: Profile
    fp_version: int
    views: tuple[View, ...]


@dataclass(frozen=True, slots=True)
class Description:
    """What `describe` found: all that `match` looks at.

    Attributes
    ----------
    extraction : Extraction
    features : LocalFeatures or None
        None if they were withheld: then the fingerprints decide alone.
    mirrored : LocalFeatures or None
        Of the picture flipped from left to right, by which flipped copies are verified.
    panels : tuple of Description
        Of the photos that a collage is made of.
    box : Box
        Of a panel: where it lies in its collage.
    """

    extraction: Extraction
    features: LocalFeatures | None = None
    mirrored: LocalFeatures | None = None
    panels: tuple["Description", ...] = ()
    box: Box = WHOLE

    def to_bytes(self) -> bytes:
        """Pack: some 14 KB of a protected picture, 28 KB and more of a detected one."""
        packed = [_MAGIC, *_packed(self), bytes([len(self.panels)])]
        for panel in self.panels:
            packed += [_BOX.pack(*panel.box), *_packed(panel)]
        return b"".join(packed)

    @classmethod
    def from_bytes(cls, packed: bytes) -> "Description":
        """Unpack what `to_bytes` packed; bytes of anyone may be given.

        Raises
        ------
        ValueError
            Of another version, cut short, or not what `to_bytes` packs; it says which.
        """
        rest = _Rest(packed)
        if rest.take(len(_MAGIC)) != _MAGIC:
            raise ValueError("not a description of version 2: describe the image anew")
        extraction, features, mirrored = _unpacked(rest)
        panels = []
        for _ in range(rest.count(_MOST_PANELS, "panels")):
            box = rest.box()
            panels.append(cls(*_unpacked(rest), box=box))
        if len(rest):
            raise ValueError(f"{len(rest)} bytes too many after a description")
        return cls(extraction, features, mirrored, tuple(panels))


def _text(text: str) -> bytes:
    return bytes([len(text)]) + text.encode("ascii")


def _packed(one: Description) -> list[bytes]:
    """Pack a picture without its panels."""
    of = one.extraction
    digest = bytes.fromhex(of.digest)
    packed = [
        _FACTS.pack(
            of.fp_version, digest, of.width, of.height, of.frames, of.quality, of.textureless
        ),
        _text(of.format),
        _text(of.profile),
        bytes([len(of.views)]),
    ]
    for view in of.views:
        packed += [_text(view.name), view.fingerprint, view.sketch]
    for features in (one.features, one.mirrored):
        part = b"" if features is None else features.to_bytes()
        packed += [_LENGTH.pack(len(part)), part]
    return packed


def _unpacked(rest: "_Rest") -> tuple[Extraction, LocalFeatures | None, LocalFeatures | None]:
    version, digest, width, height, frames, quality, textureless = _FACTS.unpack(
        rest.take(_FACTS.size)
    )
    if version != FP_VERSION:
        raise ValueError(
            f"fingerprints of version {version}, not {FP_VERSION}: describe the image anew"
        )
    if not (width and height and frames and 0 <= quality <= 1):
        raise ValueError(f"no image: {width} x {height}, {frames} frames, quality {quality}")
    format_, profile = rest.text(_FORMATS), rest.text(_PROFILES)
    views = tuple(
        View(rest.text(_VIEW_NAMES), rest.take(FINGERPRINT_BYTES), rest.take(SKETCH_BYTES))
        for _ in range(rest.count(len(_VIEW_NAMES), "views"))
    )
    if not views:
        raise ValueError("a description without views")
    extraction = Extraction(
        digest.hex(), width, height, format_, frames, quality, textureless, profile, version, views
    )
    return extraction, rest.features(), rest.features()


def _checked(features: LocalFeatures) -> LocalFeatures:
    """Refuse what no picture has, and what would cost too much to compare."""
    rows, columns = features.thumbnail.shape
    top, bottom, left, right = features.box
    sane = (
        len(features) <= _MOST_POINTS
        and min(features.width, features.height) > 0
        and max(features.width, features.height) <= LONG_SIDE
        and min(rows, columns) > 0
        and max(rows, columns) <= _MOST_THUMBNAIL
        and 0 <= top < bottom <= 1
        and 0 <= left < right <= 1
        and bool(np.all(features.points <= LONG_SIDE))
        and bool(np.all(features.octaves <= _MOST_OCTAVE))
    )
    if not sane:
        raise ValueError("local features that no picture has")
    return features


class _Rest:
    """Bytes that are still to be unpacked."""

    def __init__(self, packed: bytes) -> None:
        self._packed, self._at = packed, 0

    def __len__(self) -> int:
        return len(self._packed) - self._at

    def take(self, size: int) -> bytes:
        if size > len(self):
            raise ValueError(f"a description that is cut short, by {size - len(self)} bytes")
        self._at += size
        return self._packed[self._at - size : self._at]

    def count(self, most: int, what: str) -> int:
        count = self.take(1)[0]
        if count > most:
            raise ValueError(f"a description of {count} {what}, not at most {most}")
        return count

    def text(self, allowed: tuple[_Name, ...]) -> _Name:
        text = self.take(self.take(1)[0])
        for one in allowed:
            if one.encode() == text:
                return one
        raise ValueError(f"{text!r} is none of {', '.join(allowed)}")

    def box(self) -> Box:
        box = Box(*_BOX.unpack(self.take(_BOX.size)))
        if not (0 <= box.top < box.bottom <= 1 and 0 <= box.left < box.right <= 1):
            raise ValueError(f"a panel that is not in its picture: {box}")
        return box

    def features(self) -> LocalFeatures | None:
        (size,) = _LENGTH.unpack(self.take(_LENGTH.size))
        return _checked(LocalFeatures.from_bytes(self.take(size))) if size else None
