"""Tell what photos show, in a few tags that their copies keep (paper, steps 2 and 6).

A copy is looked for among the protected photos of its tags only, so what matters is that it gets
the tags of its original. Hu, Sheng, Mao, Wang, Zhong: "Spark-based real-time proactive image
tracking protection model", EURASIP Journal on Information Security 2019:3, names kinds of photos
and no classifier; this is EfficientNet-Lite0 with a head of our own.
"""

from .features import Runtime, features_of, opened
from .head import Head, HeadError
from .network import FEATURES, SIDE, network
from .tagger import FLOOR, PANEL_FLOOR, Tagger, TagScore, kept, united
from .weights import WEIGHTS_SHA256, WeightsError, find_weights, read_weights

__all__ = [
    "FEATURES",
    "FLOOR",
    "PANEL_FLOOR",
    "SIDE",
    "WEIGHTS_SHA256",
    "Head",
    "HeadError",
    "Runtime",
    "TagScore",
    "Tagger",
    "WeightsError",
    "features_of",
    "find_weights",
    "kept",
    "network",
    "opened",
    "read_weights",
    "united",
]
