"""Whether one picture shows another: local features matched, aligned, and pixels compared."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from .calibration import CALIBRATION
from .features import LONG_SIDE, LocalFeatures
from .points import neighbours

__all__ = ["Verification", "evidence", "verify"]

_RATIO, _FARTHEST = 0.88, 72  # of Hamming distances of descriptors
_PAIRED = 64  # best matches of which every two propose a transform
_PROPOSALS = 64
_SCALES = (1 / 8, 8.0)
_SCALE_SLACK, _TURN_SLACK = np.log(1.6), np.radians(25)
_NEAR = 5.0  # pixels of the frame, for a first transform
_NEARER, _NEAREST = 0.8 * _NEAR, 0.6 * _NEAR  # for the next, and in the end
_AT_RANDOM = _NEAREST / math.sqrt(2)  # root mean square of how far points of a disk are off
_FEWEST = 4
_FITTED = 3  # points that an affine transform, of six parameters, meets exactly
_TILE = 9
_EVEN = np.full(_TILE, 1 / _TILE)
_RAMP = _EVEN * (np.arange(_TILE) - _TILE // 2) / math.sqrt((_TILE**2 - 1) / 12)
_FLAT = 5.0  # variance of grey levels around a plane that counts as none
_PLAIN = 0.2  # of a textured tile, that a plain one counts: else a logo would be all of a picture
_LEVELS = 100  # of a correlation from 0 to 1
_WORSE = 0.25  # of the overlap, to which `Verification.worst` looks


@dataclass(frozen=True, slots=True, eq=False)
class Verification:
    """How well one picture is found in another.

    Attributes
    ----------
    inliers : int
        Points that agree on the transform.
    matches : int
        Points that looked alike.
    transform : float64 ndarray, shape (2, 3), or None
        From places in `a` to places in `b`, in fractions of the width and height of the whole
        pictures; None if nothing agreed.
    overlap : float
        Share of `b` that `a` shows, in 0..1.
    agreement : float
        Correlation of the pixels where they overlap, in -1..1: the mean, by their texture.
    worst : float
        What a quarter of it does not reach: a copy agrees everywhere, and two pictures
        that have an object or a pose in common only there.
    spread : float
        Share of the overlap that lies between the agreeing points.
    closeness : float
        How near these lie to where the transform puts them, in 0..1: 1 if exactly there, as of
        one photo, and 0 if no nearer than by chance. Three of them lie there in any case.
    distinctness : float
        How much less alike the next best points are, in 0..1: of copies about half, and little of
        pictures that have a pose or a sky in common.
    score : float
        Log-odds, for a candidate, that they show the same picture.
    """

    inliers: int = 0
    matches: int = 0
    transform: NDArray[np.float64] | None = None
    overlap: float = 0.0
    agreement: float = 0.0
    worst: float = 0.0
    spread: float = 0.0
    closeness: float = 0.0
    distinctness: float = 0.0
    score: float = CALIBRATION.verification[0]


def _matches(
    a: NDArray[np.uint8], b: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Match each point to the one that is most alike, if both agree and no other comes near.

    Returns
    -------
    i, j : int64 ndarray, shape (M,)
        Which points of both, the most alike first.
    distinctness : float64 ndarray, shape (M,)
        1, less the bits in which they differ as a share of those in which the next one does.
    """
    best, nearest, second, mutual = neighbours(a, b)
    found = np.flatnonzero(mutual & (nearest <= _FARTHEST) & (nearest <= _RATIO * second))
    found = found[np.argsort(nearest[found], kind="stable")]
    return found, best[found], 1 - nearest[found] / np.maximum(second[found], 1)


@lru_cache
def _pairs(count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.triu_indices(count, 1)


def _complex(points: NDArray[np.float32]) -> NDArray[np.complex64]:
    return np.asarray(points[:, 0] + 1j * points[:, 1], np.complex64)


def _proposals(
    p: NDArray[np.complex64],
    q: NDArray[np.complex64],
    log_scale: NDArray[np.float32],
    turn: NDArray[np.float32],
) -> tuple[NDArray[np.complex64], NDArray[np.complex64]]:
    """Propose similarities z -> factor * z + shift, from pairs of matches that agree with it."""
    i, j = _pairs(min(len(p), _PAIRED))
    apart = p[j] - p[i]
    wide = np.flatnonzero(np.abs(apart) >= 4 * _NEAR)
    i, j = i[wide], j[wide]
    factor = (q[j] - q[i]) / apart[wide]
    size = np.log(np.maximum(np.abs(factor), 1e-6))
    sane = (size > np.log(_SCALES[0])) & (size < np.log(_SCALES[1]))
    for k in (i, j):
        sane &= np.abs(size - log_scale[k]) < _SCALE_SLACK
    kept = np.flatnonzero(sane)
    rotation = np.angle(factor[kept])
    for k in (i, j):
        off = np.cos(rotation - turn[k[kept]]) > np.cos(_TURN_SLACK)
        kept, rotation = kept[off], rotation[off]
    if len(kept) > _PROPOSALS:  # evenly among them, best matches first
        kept = kept[np.linspace(0, len(kept) - 1, _PROPOSALS).astype(np.int64)]
    factor = np.asarray(factor[kept], np.complex64)
    return factor, np.asarray(q[i[kept]] - factor * p[i[kept]], np.complex64)


def _affine(p: NDArray[np.float32], q: NDArray[np.float32]) -> NDArray[np.float64]:
    """Fit q = M p + t by least squares, held near to a similarity while points are few."""
    centre_p, centre_q = p.mean(axis=0, dtype=np.float64), q.mean(axis=0, dtype=np.float64)
    x, y = p - centre_p, q - centre_q
    own, common = x.T @ x, x.T @ y
    size = max(own[0, 0] + own[1, 1], 1e-9)
    along, across = (common[0, 0] + common[1, 1]) / size, (common[0, 1] - common[1, 0]) / size
    similarity = np.array([[along, across], [-across, along]])
    pull = 4.0 * LONG_SIDE
    matrix = cv2.solve(own + pull * np.eye(2), common + pull * similarity)[1].T
    return np.column_stack([matrix, centre_q - matrix @ centre_p])


def _apply(transform: NDArray[np.float64], points: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(points @ transform[:, :2].T + transform[:, 2], np.float32)


def _best_transform(
    p: NDArray[np.float32],
    q: NDArray[np.float32],
    log_scale: NDArray[np.float32],
    turn: NDArray[np.float32],
) -> tuple[NDArray[np.float64] | None, NDArray[np.bool_]]:
    z, w = _complex(p), _complex(q)
    factor, shift = _proposals(z, w, log_scale, turn)
    if not len(factor):
        return None, np.zeros(len(p), np.bool_)
    # A point may be off by a pixel of its own frame: enlarging enlarges that too.
    slack = _NEAR * np.maximum(np.abs(factor), 1)
    near = np.abs(factor[:, None] * z + shift[:, None] - w) < slack[:, None]
    inside = near[int(near.sum(axis=1).argmax())]
    transform = None
    for allowed in (_NEARER, _NEAREST):
        if inside.sum() < _FEWEST:
            return None, np.zeros(len(p), np.bool_)
        transform = _affine(p[inside], q[inside])
        scale = max(1.0, float(np.sqrt(abs(np.linalg.det(transform[:, :2])))))
        off = np.hypot(*(_apply(transform, p) - q).T)
        inside = off < allowed * scale
    return transform, inside


def _mean(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average over the tile around each pixel."""
    return np.asarray(cv2.blur(x, (_TILE, _TILE)), np.float32)


def _plane(x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Fit a plane to the tile around each pixel: its mean, its rise across, and its rise down.

    Rises are in standard deviations, so that a product of two is their covariance.
    """
    rises = [cv2.sepFilter2D(x, -1, *of) for of in ((_RAMP, _EVEN), (_EVEN, _RAMP))]
    return [_mean(x), *(np.asarray(rise, np.float32) for rise in rises)]


def _product(p: list[NDArray[np.float32]], q: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.asarray(sum(one * other for one, other in zip(p, q, strict=True)), np.float32)


def _correlation(
    a: NDArray[np.float32], b: NDArray[np.float32], shown: NDArray[np.bool_]
) -> tuple[float, float]:
    """Correlate what planes within tiles leave, so that a common layout does not count.

    Light and dark lie alike in many pictures, and any two skies rise towards the same side. A tile
    that is plain in both tells little, and counts little.

    Returns
    -------
    mean, worst : float
        Of all that is shown, and what the worse part of it does not exceed.
    """
    plane_a, plane_b = _plane(a), _plane(b)

    variance_a = np.maximum(_mean(a * a) - _product(plane_a, plane_a), 0)
    variance_b = np.maximum(_mean(b * b) - _product(plane_b, plane_b), 0)
    covariance = _mean(a * b) - _product(plane_a, plane_b)
    texture = np.maximum(variance_a, variance_b)
    weight = np.maximum(texture / (texture + _FLAT), _PLAIN)
    local = covariance / ((np.sqrt(variance_a * variance_b) + _FLAT) * weight)
    local = np.clip(local, -1, 1)  # it is but for rounding
    weight *= shown
    level = np.rint((local + 1) * _LEVELS).astype(np.intp).ravel()
    below = np.bincount(level, weight.ravel()).cumsum()
    worst = int(np.searchsorted(below, _WORSE * below[-1])) / _LEVELS - 1
    return float((local * weight).sum() / below[-1]), worst


def _blurred(pixels: NDArray[np.float32], coarser: float) -> NDArray[np.float32]:
    """Smooth a thumbnail to the sharpness of one that is so many times coarser."""
    sigma = 0.5 * np.sqrt(coarser**2 - 1) + 1e-3
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.float32)


def _pixels(
    a: LocalFeatures, b: LocalFeatures, transform: NDArray[np.float64]
) -> tuple[float, float, float]:
    """Compare aligned thumbnails, in the coarser of both: mean and worst agreement, overlap."""
    magnified = float(np.sqrt(abs(np.linalg.det(transform[:, :2]))))
    rows, columns = b.thumbnail.shape
    to_b = np.array([columns / b.width, rows / b.height])
    to_a = np.array([a.thumbnail.shape[1] / a.width, a.thumbnail.shape[0] / a.height])
    # Pixels lie at whole numbers, and their edges half a pixel before: hence the halves.
    matrix = to_b[:, None] * transform[:, :2] / to_a
    shift = to_b * (transform[:, :2] @ (0.5 / to_a - 0.5) + transform[:, 2] + 0.5) - 0.5
    warp = np.column_stack([matrix, shift])
    source = a.thumbnail.astype(np.float32)
    target = b.thumbnail.astype(np.float32)
    if magnified < 1:  # `a` is finer here: smooth it before it is sampled
        source = _blurred(source, 1 / magnified)
    if magnified > 1:
        target = _blurred(target, magnified)
    warped = np.asarray(cv2.warpAffine(source, warp, (columns, rows)), np.float32)
    shown = cv2.warpAffine(np.ones_like(source), warp, (columns, rows))
    inside = shown > 0.99
    overlap = float(inside.mean())
    if inside.sum() < 2 * _TILE**2 // 3:
        return 0.0, 0.0, overlap
    return *_correlation(warped, target, inside), overlap


def _of_wholes(
    a: LocalFeatures, b: LocalFeatures, transform: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Turn a transform between frames into one between whole pictures, in fractions."""
    to_a = np.array([a.width / a.box.columns, a.height / a.box.rows])
    to_b = np.array([b.width / b.box.columns, b.height / b.box.rows])
    matrix = transform[:, :2] * to_a / to_b[:, None]
    corner = transform[:, :2] @ (-to_a * [a.box.left, a.box.top] - 0.5) + transform[:, 2] + 0.5
    return np.column_stack([matrix, corner / to_b + [b.box.left, b.box.top]])


def _spread(points: NDArray[np.float32], b: LocalFeatures, overlap: float) -> float:
    hull = cv2.convexHull(points)
    return min(1.0, float(cv2.contourArea(hull)) / max(overlap * b.width * b.height, 1.0))


def _closeness(off: NDArray[np.float32], transform: NDArray[np.float64]) -> float:
    free = len(off) - _FITTED
    if free <= 0:
        return 0.0
    scale = max(1.0, math.sqrt(abs(np.linalg.det(transform[:, :2]))))
    return max(0.0, 1 - math.sqrt(float((off**2).sum()) / free) / (_AT_RANDOM * scale))


def evidence(seen: Verification) -> tuple[float, float, float, float, float]:
    """Scale what a verification found, so that a sum of it tells copies from other pictures.

    The points count by the share of the protected picture that lies between them: few points fill
    a small overlap, as those of a watermark do that two pictures have in common.
    """
    covered = math.sqrt(seen.spread * seen.overlap)
    return math.log1p(seen.inliers), seen.worst, covered, seen.closeness, seen.distinctness


def verify(a: LocalFeatures, b: LocalFeatures) -> Verification:
    """Look for one picture in another.

    Parameters
    ----------
    a, b : LocalFeatures
        Of the detected and of the protected picture. Flips are not seen: give the features of the
        flipped picture.

    Returns
    -------
    Verification
    """
    if min(len(a), len(b)) < _FEWEST:
        return Verification()
    i, j, distinct = _matches(a.descriptors, b.descriptors)
    if len(i) < _FEWEST:
        return Verification(matches=len(i))
    log_scale = np.log(b.scales[j] / a.scales[i]).astype(np.float32)
    turn = (b.angles[j].astype(np.float32) - a.angles[i]) * np.float32(2 * np.pi / 256)
    transform, inside = _best_transform(a.points[i], b.points[j], log_scale, turn)
    if transform is None or not inside.any():
        return Verification(matches=len(i))
    agreement, worst, overlap = _pixels(a, b, transform)
    there = b.points[j][inside]
    inliers = len(there)
    spread = _spread(there, b, overlap)
    off = np.hypot(*(_apply(transform, a.points[i][inside]) - there).T)
    closeness = _closeness(off, transform)
    distinctness = float(distinct[inside].mean())
    seen = Verification(
        inliers,
        len(i),
        _of_wholes(a, b, transform),
        overlap,
        agreement,
        worst,
        spread,
        closeness,
        distinctness,
    )
    constant, *weights = CALIBRATION.verification
    score = constant + sum(w * x for w, x in zip(weights, evidence(seen), strict=True))
    return replace(seen, score=score)
