"""Local features: points that are found again in any part of a picture, and what lies around them.

ORB (Rublee, Rabaud, Konolige, Bradski, "ORB: an efficient alternative to SIFT or SURF", ICCV 2011)
on the picture brought to one size, and a thumbnail for comparing aligned pixels.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from .trimming import WHOLE, Box

__all__ = [
    "DESCRIPTOR_BYTES",
    "LONG_SIDE",
    "LocalFeatures",
    "features_of_both_sides",
    "features_of_luma",
]

LONG_SIDE = 320
"""Pixels of the frame in which points are given."""
DESCRIPTOR_BYTES = 32

_VERSION = 1
_MOST = 320
_SCALE_STEP, _LEVELS = 1.3, 6
_EDGE = 16
_NARROW = 48  # pixels of the frame, below which a picture has no room for points
_FAST = (14, 5)  # contrast of a corner in grey levels; the second where few are found
_FEW = 160
_THUMBNAIL = 64
_POINT_STEPS = 64  # points are stored in this part of a pixel
_ANGLE_STEPS = 256 / 360
_HEADER = struct.Struct("<BHHHBB4H")
_BOX_STEPS = 65535


@dataclass(frozen=True, slots=True, eq=False)
class LocalFeatures:
    """The local features of one picture.

    Attributes
    ----------
    width, height : int
        Of the frame; the longer one is 320.
    points : float32 ndarray, shape (N, 2)
        x and y in the frame, strongest first.
    octaves : uint8 ndarray, shape (N,)
        At which of the sizes the point was found; each is 1.3 times smaller than the one before.
    angles : uint8 ndarray, shape (N,)
        Direction, in 256ths of a turn.
    descriptors : uint8 ndarray, shape (N, 32)
    thumbnail : uint8 ndarray
        The picture, its longer side 64.
    box : Box
        The part of the whole picture that was looked at: without bars and frames.
    """

    width: int
    height: int
    points: NDArray[np.float32]
    octaves: NDArray[np.uint8]
    angles: NDArray[np.uint8]
    descriptors: NDArray[np.uint8]
    thumbnail: NDArray[np.uint8]
    box: Box = WHOLE

    def __len__(self) -> int:
        return len(self.points)

    @property
    def scales(self) -> NDArray[np.float32]:
        """Size of each point's surroundings, in those of the first octave."""
        return np.float32(_SCALE_STEP) ** self.octaves

    def to_bytes(self) -> bytes:
        """Pack, at 38 bytes a point."""
        box = (round(edge * _BOX_STEPS) for edge in self.box)
        size = (self.width, self.height, *self.thumbnail.shape)
        return b"".join(
            [
                _HEADER.pack(_VERSION, len(self), *size, *box),
                np.rint(self.points * _POINT_STEPS).astype("<u2").tobytes(),
                self.octaves.tobytes(),
                self.angles.tobytes(),
                self.descriptors.tobytes(),
                self.thumbnail.tobytes(),
            ]
        )

    @classmethod
    def from_bytes(cls, packed: bytes) -> "LocalFeatures":
        """Unpack what `to_bytes` packed.

        Raises
        ------
        ValueError
            Of another version, or cut short.
        """
        if len(packed) < _HEADER.size or packed[0] != _VERSION:
            raise ValueError(f"not local features of version {_VERSION}")
        _, count, width, height, rows, columns, *box = _HEADER.unpack_from(packed)
        sizes = np.cumsum([_HEADER.size, 4 * count, count, count, 32 * count, rows * columns])
        if len(packed) != sizes[-1]:
            raise ValueError(f"local features of {sizes[-1]} bytes, not {len(packed)}")
        parts = [packed[a:b] for a, b in pairwise(sizes)]
        points = np.frombuffer(parts[0], "<u2").reshape(-1, 2) / np.float32(_POINT_STEPS)
        return cls(
            width,
            height,
            points.astype(np.float32),
            np.frombuffer(parts[1], np.uint8),
            np.frombuffer(parts[2], np.uint8),
            np.frombuffer(parts[3], np.uint8).reshape(-1, DESCRIPTOR_BYTES),
            np.frombuffer(parts[4], np.uint8).reshape(rows, columns),
            Box(*(edge / _BOX_STEPS for edge in box)),
        )


def _size(pixels: NDArray[np.uint8], long_side: int) -> tuple[int, int]:
    height, width = pixels.shape
    scale = long_side / max(height, width)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _framed(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Bring a picture to the size of the frame: by halves, which is quick, then linearly."""
    size = _size(luma, LONG_SIDE)
    while max(luma.shape) >= 2 * LONG_SIDE and min(luma.shape) > 1:
        half = luma.shape[1] // 2, luma.shape[0] // 2
        even = luma[: 2 * half[1], : 2 * half[0]]
        luma = np.asarray(cv2.resize(even, half, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def _thumbnail(framed: NDArray[np.uint8]) -> NDArray[np.uint8]:
    size = _size(framed, _THUMBNAIL)
    return np.asarray(cv2.resize(framed, size, interpolation=cv2.INTER_AREA), np.uint8)


def _orb(contrast: int) -> cv2.ORB:
    return cv2.ORB.create(
        _MOST, _SCALE_STEP, _LEVELS, _EDGE, scoreType=cv2.ORB_FAST_SCORE, fastThreshold=contrast
    )


class _Found(NamedTuple):
    """What ORB found in a picture."""

    keypoints: Sequence[cv2.KeyPoint] = ()
    descriptors: NDArray[Any] | None = None


def _found(framed: NDArray[np.uint8]) -> _Found:
    found = _Found()
    for contrast in _FAST if min(framed.shape) >= _NARROW else ():
        keypoints, descriptors = _orb(contrast).detectAndCompute(framed, None)
        found = _Found(keypoints, descriptors)
        if len(found.keypoints) >= _FEW:
            break
    return found


def _found_mirrored(framed: NDArray[np.uint8], keypoints: Sequence[cv2.KeyPoint]) -> _Found:
    """Describe the same corners in the mirrored picture, where they are corners too."""
    scales = [_SCALE_STEP**octave for octave in range(_LEVELS)]
    # A point is a pixel of its octave.
    last = [(round(framed.shape[1] / scale) - 1) * scale for scale in scales]
    moved = [
        cv2.KeyPoint(
            last[k.octave] - k.pt[0], k.pt[1], k.size, (180 - k.angle) % 360, k.response, k.octave
        )
        for k in keypoints
    ]
    if not moved:
        return _Found()
    kept, descriptors = _orb(_FAST[0]).compute(framed, moved)
    return _Found(kept, descriptors)


def _features(framed: NDArray[np.uint8], found: _Found, box: Box) -> LocalFeatures:
    keypoints, descriptors = found
    points = np.array(cv2.KeyPoint.convert(keypoints), np.float32).reshape(-1, 2)
    strength = np.array([keypoint.response for keypoint in keypoints], np.float32)
    angles = np.array([keypoint.angle for keypoint in keypoints], np.float32)
    octaves = np.array([keypoint.octave for keypoint in keypoints], np.uint8)
    # Of equal strength, the order in which they were found must not decide.
    order = np.lexsort((octaves, points[:, 1], points[:, 0], -strength))[:_MOST]
    if descriptors is None:
        descriptors = np.zeros((0, DESCRIPTOR_BYTES), np.uint8)
    return LocalFeatures(
        framed.shape[1],
        framed.shape[0],
        (np.rint(points[order] * _POINT_STEPS) / _POINT_STEPS).astype(np.float32),
        octaves[order],
        np.rint(angles[order] * _ANGLE_STEPS).astype(np.int64).astype(np.uint8),
        np.asarray(descriptors[order], np.uint8),
        _thumbnail(framed),
        Box(*(round(edge * _BOX_STEPS) / _BOX_STEPS for edge in box)),
    )


def features_of_luma(luma: NDArray[np.uint8], box: Box = WHOLE) -> LocalFeatures:
    """Find the local features of a picture.

    Parameters
    ----------
    luma : uint8 ndarray, shape (height, width)
    box : Box
        The part to look at.

    Returns
    -------
    LocalFeatures
        At most 320 points; none where the picture has no corners.
    """
    framed = _framed(box.cut(luma))
    return _features(framed, _found(framed), box)


def features_of_both_sides(
    luma: NDArray[np.uint8], box: Box = WHOLE
) -> tuple[LocalFeatures, LocalFeatures]:
    """Find the local features of a picture, and those of the picture flipped from left to right.

    Parameters
    ----------
    luma, box
        As of `features_of_luma`.
    """
    framed = _framed(box.cut(luma))
    found = _found(framed)
    mirrored = np.ascontiguousarray(framed[:, ::-1])
    return _features(framed, found, box), _features(
        mirrored,
        _found_mirrored(mirrored, found.keypoints),
        box._replace(left=1 - box.right, right=1 - box.left),
    )
