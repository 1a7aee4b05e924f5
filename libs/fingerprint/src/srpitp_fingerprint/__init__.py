"""Fingerprint photos in 180 bytes, and find the copies among them.

After Hu, Sheng, Mao, Wang, Zhong: "Spark-based real-time proactive image tracking protection
model", EURASIP Journal on Information Security 2019:3, Algorithm 1 and formulas (1) and (2).
"""

from .candidates import Candidate, Probe, candidates, candidates_of_each
from .decode import decode_colour
from .description import FP_VERSION, Description, Extraction, View
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
from .extraction import describe, extract, local_features
from .features import LocalFeatures
from .gallery import Gallery
from .limits import Limits
from .matching import Match, decide, match
from .orientation import ORIENTATIONS, Orientation, negative, permute
from .overlay import Drawing, Placement, draw_aligned
from .panels import panels_of
from .quality import TEXTURELESS_BELOW, quality
from .search import Backend, Metric, load_backend, nearest, search
from .sketch import SKETCH_BYTES, sketch_distance
from .slab import Slab
from .stack import Stack
from .steps import Steps
from .symbols import FINGERPRINT_BYTES, Fingerprint, Fingerprints, pack, quantise, unpack
from .threshold import Tail, Threshold, clopper_pearson
from .trimming import Box
from .verification import Verification, verify
from .views import VIEW_SETS, ViewSet

__all__ = [
    "FINGERPRINT_BYTES",
    "FP_VERSION",
    "ORIENTATIONS",
    "SKETCH_BYTES",
    "TEXTURELESS_BELOW",
    "THRESHOLDS",
    "VIEW_SETS",
    "Backend",
    "Box",
    "BrokenImageError",
    "Candidate",
    "Description",
    "Drawing",
    "EmptyImageError",
    "Extraction",
    "Fingerprint",
    "Fingerprints",
    "Gallery",
    "ImageError",
    "ImageTooLargeError",
    "Limits",
    "LocalFeatures",
    "Match",
    "Metric",
    "Orientation",
    "Placement",
    "Probe",
    "Profile",
    "Slab",
    "Stack",
    "Steps",
    "Tail",
    "Threshold",
    "TooManyPixelsError",
    "UnsupportedImageError",
    "Verdict",
    "Verification",
    "View",
    "ViewSet",
    "a_d_elements",
    "candidates",
    "candidates_of_each",
    "clopper_pearson",
    "decide",
    "decision_distance",
    "decode_colour",
    "describe",
    "distance",
    "draw_aligned",
    "extract",
    "load_backend",
    "local_features",
    "match",
    "nearest",
    "negative",
    "pack",
    "panels_of",
    "permute",
    "quality",
    "quantise",
    "search",
    "sketch_distance",
    "unpack",
    "verdict",
    "verify",
]
