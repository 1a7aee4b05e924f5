"""Which protected images a detected one shows: what the live engine and the Spark job share.

Plain functions of values (paper, Algorithm 2, and what goes beyond it): the same matches come out
whoever calls them. Nothing is read or written here.
"""

from srpitp_matching.backwards import Worth, the_worthiest, worth_judging
from srpitp_matching.budgets import PRESETS, Budgets, Rules
from srpitp_matching.documents import (
    DESCRIBED_FIELDS,
    DETECTED_FIELDS,
    PROTECTED_FIELDS,
    DetectedFacts,
    Picture,
    ProtectedFacts,
    description_of,
    features_of,
    picture_of,
    scanned,
    tags_of,
)
from srpitp_matching.judging import (
    CONFIDENT_RULE,
    EXACT_RULE,
    Judged,
    judge,
    judge_pair,
    match_of,
)
from srpitp_matching.pictures import Asked, Looked, Pictures, look_through
from srpitp_matching.stacked import DIFFERING_FIELDS, AlikeDocuments, StackedPictures, stacked

__all__ = [
    "CONFIDENT_RULE",
    "DESCRIBED_FIELDS",
    "DETECTED_FIELDS",
    "DIFFERING_FIELDS",
    "EXACT_RULE",
    "PRESETS",
    "PROTECTED_FIELDS",
    "AlikeDocuments",
    "Asked",
    "Budgets",
    "DetectedFacts",
    "Judged",
    "Looked",
    "Picture",
    "Pictures",
    "ProtectedFacts",
    "Rules",
    "StackedPictures",
    "Worth",
    "description_of",
    "features_of",
    "judge",
    "judge_pair",
    "look_through",
    "match_of",
    "picture_of",
    "scanned",
    "stacked",
    "tags_of",
    "the_worthiest",
    "worth_judging",
]
