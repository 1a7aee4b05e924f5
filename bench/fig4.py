"""The paper's Fig. 4: the time of matching with and without tags, and what is saved."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from alterations import ALTERATIONS
from photos import Photo
from plots import plot_fig4
from trial import Picture, Trial

from srpitp_contracts.matching import MatchingMode
from srpitp_fingerprint import (
    Description,
    decode_colour,
    describe,
    extract,
    panels_of,
    unpack,
)
from srpitp_matching import Asked, Budgets, Pictures, judge, look_through
from srpitp_matching import Picture as Protected
from srpitp_tagging import Tagger

__all__ = ["PAPER_SAVING", "measure_fig4"]

PAPER_SAVING = {2000: 0.2377, 4000: 0.1580}
"""What the paper's tags saved of its matching time, by number of detected images."""

_AT_ONCE = 256
_LOOPED = 100  # detected images that the paper's loop compares: all of them take minutes
_EVERY = 8  # as many of the whole cascade, whose time follows the pictures


class Known:
    """A picture of the trial as the store knows it; what is not asked for is not described."""

    def __init__(self, picture: Picture, tagger: Tagger, *, detected: bool) -> None:
        self._data, self._detected = picture.data, detected
        colours = decode_colour(picture.data)
        tags = tagger.tags_of_collage(colours, panels_of(colours) if detected else [])
        self.tags = tuple(score.tag for score in tags)
        self.paper = Description(extract(picture.data, profile="paper", views="K1"))

    @cached_property
    def robust(self) -> Description:
        """Its description in the standard mode."""
        return describe(self._data, detected=self._detected)


@dataclass(frozen=True)
class Way:
    """One way to match: it takes detected images, and whether their tags count.

    Attributes
    ----------
    name : str
    run : callable
        Returns the share of the protected set that was looked through.
    looks_at : {"paper", "robust"}
        Which description of an image.
    every : int
        One in so many of the detected images is really matched.
    """

    name: str
    run: Callable[[list[Known], bool], float]
    looks_at: str = "paper"
    every: int = 1


class Matched:
    """The protected set in one mode, with tags and without any; matching it is timed."""

    def __init__(self, mode: MatchingMode, protected: list[Known]) -> None:
        self._mode = mode
        self._pictures = {by_tag: Pictures(mode) for by_tag in (False, True)}
        for by_tag, pictures in self._pictures.items():
            pictures.add(
                Protected(
                    str(place),
                    frozenset(self._tags(one) if by_tag else ()),
                    self._description(one),
                )
                for place, one in enumerate(protected)
            )
        self._features = {
            str(place): self._description(one).features for place, one in enumerate(protected)
        }
        self._rules = Budgets(mode).rules(len(protected), self._pictures[False].views)

    def _tags(self, one: Known) -> tuple[str, ...]:
        return one.tags[:1] if self._mode is MatchingMode.PAPER else one.tags

    def _description(self, one: Known) -> Description:
        return one.paper if self._mode is MatchingMode.PAPER else one.robust

    def __call__(self, detected: list[Known], by_tag: bool) -> float:
        """Match all; return the share of the protected set that was looked through."""
        pictures, images = self._pictures[by_tag], 0
        for start in range(0, len(detected), _AT_ONCE):
            batch = detected[start : start + _AT_ONCE]
            asked: list[Asked] = [
                (self._description(one), self._tags(one) if by_tag else None) for one in batch
            ]
            for (picture, _), looked in zip(
                asked, look_through([pictures], asked, self._rules), strict=True
            ):
                judge(picture, looked, self._features, self._rules)
                images += looked.images
        return images / len(detected) / len(pictures)


class Loop:
    """Algorithm 2 as it is written: symbol by symbol, in Python."""

    def __init__(self, protected: list[Known]) -> None:
        self._symbols = {
            id(one): unpack(np.frombuffer(one.paper.extraction.views[0].fingerprint, np.uint8))
            .ravel()
            .tolist()
            for one in protected
        }
        self._protected = protected

    def __call__(self, detected: list[Known], by_tag: bool) -> float:
        """Match some; return the share of the protected set that was looked through."""
        images = 0
        for one in detected:
            fingerprint = one.paper.extraction.views[0].fingerprint
            asked = unpack(np.frombuffer(fingerprint, np.uint8)).ravel().tolist()
            for other in self._protected:
                if by_tag and one.tags[0] != other.tags[0]:
                    continue
                images += 1
                differing = 0
                for a, b in zip(asked, self._symbols[id(other)], strict=True):
                    if a != b:
                        differing += 1
        return images / len(detected) / len(self._protected)


def _timed(way: Way, detected: list[Known], by_tag: bool) -> tuple[float, float]:
    asked = detected[:: way.every]
    for one in asked:
        getattr(one, way.looks_at)  # described before the clock runs
    start = time.process_time()
    scanned = way.run(asked, by_tag)
    return (time.process_time() - start) * len(detected) / len(asked), scanned


def _measured(way: Way, detected: list[Known], turns: int) -> dict[str, Any]:
    both = [[_timed(way, detected, by_tag) for by_tag in (False, True)] for _ in range(turns)]
    seconds = np.min([[spent for spent, _ in turn] for turn in both], axis=0)
    count = len(detected)
    return {
        "way": way.name,
        "detected": count,
        "seconds without tags": float(seconds[0]),
        "seconds with tags": float(seconds[1]),
        "scanned with tags": both[0][1][1],
        "saved": 1 - float(seconds[1] / seconds[0]),
        "saved in the paper": PAPER_SAVING.get(count, float("nan")),
    }


def measure_fig4(
    fitted: list[Photo],
    photos: list[Photo],
    attacks: ModuleType | None,
    tagger: Tagger,
    arguments: Any,
) -> list[dict[str, Any]]:
    """Match detected images with and without tags, in turns; print, plot and return the times.

    Half of them are copies, altered in any way, the others are strangers.
    """
    most = max(arguments.detected) // 2
    half = min(len(photos) // 2, most)
    trial = Trial(photos[:half], fitted, photos[half:], arguments.protected, most)
    protected = [Known(one, tagger, detected=False) for one in trial.protected_set()]
    kinds = list(attacks.A) if attacks else list(ALTERATIONS)
    copies = [
        Known(one, tagger, detected=True) for one in trial.copies(attacks, kinds, most, seed=3)
    ]
    strangers = [Known(one, tagger, detected=True) for one in trial.stranger_set()]
    print(f"\nFig. 4: {len(protected)} protected")
    ways = [
        Way("paper mode", Matched(MatchingMode.PAPER, protected)),
        Way("standard mode", Matched(MatchingMode.STANDARD, protected), "robust", _EVERY),
    ]
    rows = []
    for count in arguments.detected:
        detected = [*copies[: count // 2], *strangers[: count // 2]]
        loop = Way("the paper's loop", Loop(protected), every=count // _LOOPED)
        rows += [_measured(way, detected, arguments.turns) for way in ways]
        rows.append(_measured(loop, detected, 1))
    _print(rows)
    plot_fig4(rows, Path(arguments.out) / "fig4.png")
    return rows


def _print(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        print(
            f"  {row['detected']:5} detected, {row['way']:17} without tags "
            f"{row['seconds without tags']:9.3f} s, with {row['seconds with tags']:9.3f} s: saved "
            f"{row['saved']:6.2%} (paper {row['saved in the paper']:6.2%}), scanned "
            f"{row['scanned with tags']:6.2%}"
        )
