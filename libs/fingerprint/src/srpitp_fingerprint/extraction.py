"""From an image to its fingerprints: paper, Algorithm 1."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .decode import decode
from .elements import Profile, a_d_elements
from .formats import Format
from .limits import Limits
from .luma import luma_of
from .quality import TEXTURELESS_BELOW, quality
from .symbols import pack, quantise

__all__ = ["FP_VERSION", "Extraction", "View", "extract"]

FP_VERSION = 1
"""Version of the definition: fingerprints of different versions are not comparable."""

_DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class View:
    """One rendition of a picture that is registered for it.

    Attributes
    ----------
    name : str
        ``"whole"``: the picture as it is.
    fingerprint : bytes
        180 bytes.
    """

    name: str
    fingerprint: bytes


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


def _fingerprint(luma: NDArray[np.uint8], profile: Profile) -> bytes:
    return pack(quantise(*a_d_elements(luma, profile))).tobytes()


def _read(path: str | os.PathLike[str], limits: Limits) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(limits.max_bytes + 1)  # one more tells that it is too large


def extract(
    data: bytes | str | os.PathLike[str] | NDArray[Any],
    *,
    profile: Profile = "robust",
    limits: Limits = _DEFAULT_LIMITS,
) -> Extraction:
    """Fingerprint an image.

    Parameters
    ----------
    data : bytes, path, or ndarray
        An image file, where it lies, or its pixels: uint8 or uint16, shape (height, width) or
        (height, width, 1, 3 or 4), as grey, RGB or RGBA.
    profile : {"robust", "paper"}
    limits : Limits
        Checked before anything is decoded.

    Returns
    -------
    Extraction

    Raises
    ------
    ImageError
        The image cannot be fingerprinted; its class and `code` tell why. No bytes raise another.
    OSError
        The path cannot be read.
    """
    kind: Format | Literal["array"]
    if isinstance(data, np.ndarray):
        height, width = (*data.shape, 0, 0)[:2]
        limits.check_pixels(width, height)
        kind, frames, luma = "array", 1, luma_of(data)
        digest = hashlib.sha256(f"{data.dtype} {data.shape}".encode() + data.tobytes())
    else:
        content = data if isinstance(data, bytes) else _read(data, limits)
        header, luma = decode(content, limits)
        width, height, kind, frames = header.width, header.height, header.format, header.frames
        digest = hashlib.sha256(content)
    fingerprint = _fingerprint(luma, profile)
    score = quality(fingerprint)
    return Extraction(
        digest=digest.hexdigest(),
        width=width,
        height=height,
        format=kind,
        frames=frames,
        quality=score,
        textureless=score < TEXTURELESS_BELOW,
        profile=profile,
        fp_version=FP_VERSION,
        views=(View("whole", fingerprint),),
    )
