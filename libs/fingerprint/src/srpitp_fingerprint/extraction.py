"""From an image to its fingerprints: paper, Algorithm 1."""

import hashlib
import os
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .decode import DETAILED, Decoded, decode, halvings_of
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

__all__ = ["Image", "describe", "extract", "local_features"]

Image = bytes | str | os.PathLike[str] | NDArray[Any]
"""An image file, where it lies, or pixels."""

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


def _content(data: Image, limits: Limits) -> bytes | NDArray[Any]:
    return data if isinstance(data, bytes | np.ndarray) else _read(data, limits)


def _of_pixels(
    pixels: NDArray[Any], limits: Limits
) -> tuple[NDArray[np.uint8], Halved, dict[str, Any]]:
    height, width = (*pixels.shape, 0, 0)[:2]
    limits.check_pixels(width, height)
    digest = hashlib.sha256(f"{pixels.dtype} {pixels.shape}".encode() + pixels.tobytes())
    luma = luma_of(pixels)
    about = {"width": width, "height": height, "format": "array", "frames": 1}
    return luma, halved(luma), {"digest": digest.hexdigest(), **about}


def _about(content: bytes, decoded: Decoded) -> dict[str, Any]:
    header = decoded.header
    return {
        "digest": hashlib.sha256(content).hexdigest(),
        "width": header.width,
        "height": header.height,
        "format": header.format,
        "frames": header.frames,
    }


def _opened(data: Image, limits: Limits) -> tuple[Halved, dict[str, Any]]:
    """Decode: the picture, and what is known of the image before it is fingerprinted."""
    content = _content(data, limits)
    if isinstance(content, np.ndarray):
        return _of_pixels(content, limits)[1:]
    decoded = decode(content, limits)
    return decoded.halved(), _about(content, decoded)


def _opened_in_detail(
    data: Image, limits: Limits
) -> tuple[NDArray[np.uint8], Halved, dict[str, Any]]:
    """Decode: the luma to be looked at closely too.

    Where its decoder halves a JPEG once more for the fingerprint, so it does here, lest the
    fingerprint depend on what else is asked.
    """
    content = _content(data, limits)
    if isinstance(content, np.ndarray):
        return _of_pixels(content, limits)
    detailed = decode(content, limits, DETAILED)
    coarser = halvings_of(detailed.header) > detailed.halvings
    picture = decode(content, limits) if coarser else detailed
    return detailed.luma, picture.halved(), _about(content, detailed)


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
    data: Image,
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
    picture, about = _opened(data, limits)
    return _extraction(picture, boxes(picture, views), about, profile)


def _description(
    luma: NDArray[np.uint8],
    picture: Halved,
    about: dict[str, Any],
    view_set: ViewSet,
    detected: bool,
) -> Description:
    box = trimmed_box(picture)
    extraction = _extraction(picture, boxes(picture, view_set, box), about, "robust")
    if detected:
        return Description(extraction, *features_of_both_sides(luma, box))
    return Description(extraction, features_of_luma(luma, box))


def describe(
    data: Image,
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
    luma, picture, about = _opened_in_detail(data, limits)
    view_set = views or ("Q2" if detected else "K6")
    whole = _description(luma, picture, about, view_set, detected)
    if not detected:
        return whole
    panels = []
    for box in panel_boxes(luma):
        cut = box.cut(luma)
        panel = _description(cut, halved(cut), about, view_set, detected)
        if not panel.extraction.textureless:
            panels.append(replace(panel, box=box))
    return replace(whole, panels=tuple(panels))


def local_features(data: Image, *, limits: Limits = _DEFAULT_LIMITS) -> LocalFeatures:
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
    content = _content(data, limits)
    if isinstance(content, np.ndarray):
        luma, picture, _ = _of_pixels(content, limits)
    else:
        decoded = decode(content, limits, DETAILED)
        luma, picture = decoded.luma, decoded.halved()
    return features_of_luma(luma, trimmed_box(picture))
