"""From an image to its fingerprints: paper, Algorithm 1."""

import hashlib
import os
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .decode import decode
from .description import FP_VERSION, Description, Extraction, View
from .elements import Halved, Profile, elements_of_pieces, halved, pieces_of_parts
from .features import LocalFeatures, features_of_both_sides, features_of_luma
from .limits import Limits
from .luma import luma_of
from .panels import panel_boxes
from .quality import TEXTURELESS_BELOW, quality
from .sketch import sketches
from .symbols import pack, quantise
from .trimming import Box
from .views import ViewSet, boxes, trimmed_box

__all__ = ["describe", "extract", "local_features"]

_DEFAULT_LIMITS = Limits()


def _read(path: str | os.PathLike[str], limits: Limits) -> bytes:
    most = limits.max_bytes
    file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        if size := os.fstat(file).st_size:
            return os.read(file, min(size, most) + 1)  # one more tells that it is too large
        with os.fdopen(file, "rb", closefd=False) as pipe:  # or an empty file
            return pipe.read(most + 1)
    finally:
        os.close(file)


def _open(
    data: bytes | str | os.PathLike[str] | NDArray[Any], limits: Limits
) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """Decode: the luma, and what is known of the image before it is fingerprinted."""
    if isinstance(data, np.ndarray):
        height, width = (*data.shape, 0, 0)[:2]
        limits.check_pixels(width, height)
        digest = hashlib.sha256(f"{data.dtype} {data.shape}".encode() + data.tobytes())
        about = {"width": width, "height": height, "format": "array", "frames": 1}
        return luma_of(data), {"digest": digest.hexdigest(), **about}
    content = data if isinstance(data, bytes) else _read(data, limits)
    header, luma = decode(content, limits)
    return luma, {
        "digest": hashlib.sha256(content).hexdigest(),
        "width": header.width,
        "height": header.height,
        "format": header.format,
        "frames": header.frames,
    }


def _extraction(
    picture: Halved, placed: dict[str, Box], about: dict[str, Any], profile: Profile
) -> Extraction:
    parts = [box.part(picture.height, picture.width) for box in placed.values()]
    pieces = pieces_of_parts(picture, parts, profile)
    packed = pack(quantise(*elements_of_pieces(pieces)))
    views = tuple(
        View(name, fingerprint.tobytes(), small.tobytes())
        for name, fingerprint, small in zip(placed, packed, sketches(pieces), strict=True)
    )
    score = quality(views[0].fingerprint)
    return Extraction(
        **about,
        quality=score,
        textureless=score < TEXTURELESS_BELOW,
        profile=profile,
        fp_version=FP_VERSION,
        views=views,
    )


def extract(
    data: bytes | str | os.PathLike[str] | NDArray[Any],
    *,
    profile: Profile = "robust",
    views: ViewSet = "K6",
    limits: Limits = _DEFAULT_LIMITS,
) -> Extraction:
    """Fingerprint an image.

    Parameters
    ----------
    data : bytes, path, or ndarray
        An image file, where it lies, or its pixels: uint8 or uint16, shape (height, width) or
        (height, width, 1, 3 or 4), as grey, RGB or RGBA.
    profile : {"robust", "paper"}
    views : {"K1", "K2", "K6", "K10", "Q1", "Q2", "Q6", "Q10"}
        How many views of the picture, at most: K to register, Q to look for.
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
    luma, about = _open(data, limits)
    picture = halved(luma)
    return _extraction(picture, boxes(picture, views), about, profile)


def _description(
    luma: NDArray[np.uint8], about: dict[str, Any], view_set: ViewSet, detected: bool
) -> Description:
    picture = halved(luma)
    box = trimmed_box(picture)
    extraction = _extraction(picture, boxes(picture, view_set, box), about, "robust")
    if detected:
        return Description(extraction, *features_of_both_sides(luma, box))
    return Description(extraction, features_of_luma(luma, box))


def describe(
    data: bytes | str | os.PathLike[str] | NDArray[Any],
    *,
    detected: bool = False,
    views: ViewSet | None = None,
    limits: Limits = _DEFAULT_LIMITS,
) -> Description:
    """Fingerprint an image and find its local features, in the robust profile.

    Parameters
    ----------
    data, limits
        As of `extract`.
    detected : bool
        Whether the picture is to be looked for among protected ones: then it is described
        mirrored too, and of a collage each photo.
    views : ViewSet, optional
        Of a detected picture Q2, else K6.

    Returns
    -------
    Description

    Raises
    ------
    ImageError, OSError
        As `extract`.
    """
    luma, about = _open(data, limits)
    view_set = views or ("Q2" if detected else "K6")
    whole = _description(luma, about, view_set, detected)
    if not detected:
        return whole
    panels = [box.cut(luma) for box in panel_boxes(luma)]
    described = [_description(panel, about, view_set, detected) for panel in panels]
    return replace(whole, panels=tuple(p for p in described if not p.extraction.textureless))


def local_features(
    data: bytes | str | os.PathLike[str] | NDArray[Any], *, limits: Limits = _DEFAULT_LIMITS
) -> LocalFeatures:
    """Find the local features of an image.

    Parameters
    ----------
    data, limits
        As of `extract`.

    Returns
    -------
    LocalFeatures

    Raises
    ------
    ImageError, OSError
        As `extract`.
    """
    luma, _ = _open(data, limits)
    return features_of_luma(luma, trimmed_box(halved(luma)))
