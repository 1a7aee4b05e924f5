"""Fingerprint photos in 180 bytes, and find the copies among them.

After Hu, Sheng, Mao, Wang, Zhong: "Spark-based real-time proactive image tracking protection
model", EURASIP Journal on Information Security 2019:3, Algorithm 1 and formulas (1) and (2).
"""

from .distance import THRESHOLDS, Verdict, decision_distance, distance, verdict
from .elements import Profile, a_d_elements
from .errors import (
    BrokenImageError,
    EmptyImageError,
    ImageError,
    ImageTooLargeError,
    TooManyPixelsError,
    UnsupportedImageError,
)
from .extraction import FP_VERSION, Extraction, View, extract
from .limits import Limits
from .orientation import ORIENTATIONS, Orientation, negative, permute
from .quality import TEXTURELESS_BELOW, quality
from .search import Metric, nearest
from .symbols import FINGERPRINT_BYTES, Fingerprint, Fingerprints, pack, quantise, unpack

__all__ = [
    "FINGERPRINT_BYTES",
    "FP_VERSION",
    "ORIENTATIONS",
    "TEXTURELESS_BELOW",
    "THRESHOLDS",
    "BrokenImageError",
    "EmptyImageError",
    "Extraction",
    "Fingerprint",
    "Fingerprints",
    "ImageError",
    "ImageTooLargeError",
    "Limits",
    "Metric",
    "Orientation",
    "Profile",
    "TooManyPixelsError",
    "UnsupportedImageError",
    "Verdict",
    "View",
    "a_d_elements",
    "decision_distance",
    "distance",
    "extract",
    "nearest",
    "negative",
    "pack",
    "permute",
    "quality",
    "quantise",
    "unpack",
    "verdict",
]
