"""The paper's Table 2: how many of 2,000 and 4,000 detected images are judged rightly.

Half of them are altered copies of protected photos, the others strangers; in paper mode and in
standard mode, with the code that the services run. Beside it, how many strangers are alarmed, and
how many the budget allows.
"""

import argparse
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from photos import Photo
from plots import plot_table2
from tables import write_rows
from tags import trained
from train_tags import the_network
from trial import LAYOUT_SHARE, Picture, Trial, ready, usual_trial_options

from srpitp_contracts.matching import MatchingMode
from srpitp_fingerprint import (
    Description,
    clopper_pearson,
    decode_colour,
    describe,
    extract,
    panels_of,
)
from srpitp_matching import Asked, Budgets, Looked, Pictures, Rules, judge, look_through
from srpitp_matching import Picture as Protected
from srpitp_tagging import Tagger

PAPER_ACCURACY = {2000: 0.9890, 4000: 0.9922}
"""What the paper's Table 2 says, by number of detected images."""

_PAPERS = "the paper's kinds"
KINDS = (
    "orig", "jpeg90", "jpeg50", "jpeg30", "resize0.5", "resize2.0", "noise10", "noise25", "blur2",
    "median5", "bright+40", "bright-40", "contrast0.6", "contrast1.5", "gamma0.6", "gamma1.6",
    "grayscale", "textwm",
)  # fmt: skip
"""What the paper's fingerprint is made for: the picture stays where it is. It names no list."""

_LAYOUTS = {"product", "horizon"}
_ORIGINALS = 500
_AT_ONCE = 256


class Sought(NamedTuple):
    """A detected picture: what is known of it, and whether it is a copy."""

    kinds: str
    """Of which set of attacks it is a copy; `stranger` if it is none."""
    number: int
    attack: str
    truth: int
    paper: Description
    robust: Description
    tags: tuple[str, ...]

    def description(self, mode: MatchingMode) -> Description:
        """Return what the mode looks at."""
        return self.paper if mode is MatchingMode.PAPER else self.robust


@dataclass(frozen=True)
class Repetition:
    """One draw of photos, described for both modes."""

    number: int
    protected: list[Sought]
    detected: list[Sought]


def _sought(kinds: str, number: int, picture: Picture, tagger: Tagger | None) -> Sought:
    robust = describe(picture.data, detected=kinds != "protected")
    tags = []
    if tagger:
        colours = decode_colour(picture.data)
        tags = tagger.tags_of_collage(colours, panels_of(colours) if robust.panels else [])
    return Sought(
        kinds,
        number,
        picture.kind,
        picture.truth,
        Description(extract(picture.data, profile="paper", views="K1")),
        robust,
        tuple(score.tag for score in tags),
    )


def drawn(
    number: int,
    fitted: list[Photo],
    photos: list[Photo],
    attacks: ModuleType,
    tagger: Tagger | None,
    arguments: Any,
) -> Repetition:
    """Draw anew which photos are protected, which are altered and how, and which are strangers."""
    random = np.random.default_rng([19, number])
    shuffled = [photos[k] for k in random.permutation(len(photos))]
    crowd = [fitted[k] for k in random.permutation(len(fitted))]
    half = max(arguments.detected) // 2
    originals = min(_ORIGINALS, len(photos) // 2, half)
    strangers = math.ceil(half / (1 - LAYOUT_SHARE)) + 1
    trial = Trial(shuffled[:originals], crowd, shuffled[originals:], arguments.protected, strangers)
    sets: dict[str, Iterator[Picture]] = {
        _PAPERS: trial.copies(attacks, KINDS, half, 2 * number),
        "all kinds": trial.copies(attacks, list(attacks.A), half, 2 * number + 1),
        "stranger": trial.stranger_set(),
    }
    return Repetition(
        number,
        [_sought("protected", k, one, tagger) for k, one in enumerate(trial.protected_set())],
        [
            _sought(kinds, k, one, tagger)
            for kinds, pictures in sets.items()
            for k, one in enumerate(pictures)
        ],
    )


def judged(repetition: Repetition, mode: MatchingMode, *, tagged: bool) -> list[dict[str, Any]]:
    """Look for all detected pictures; say of each whether it was found, and what else was."""
    pictures = Pictures(mode)
    of = {str(k): one.description(mode) for k, one in enumerate(repetition.protected)}
    at_most = (1 if mode is MatchingMode.PAPER else None) if tagged else 0
    pictures.add(
        Protected(id_, frozenset(repetition.protected[int(id_)].tags[:at_most]), description)
        for id_, description in of.items()
    )
    features = {id_: description.features for id_, description in of.items()}
    rules = Budgets(mode).rules(len(pictures), pictures.views)
    rows = []
    asked: list[Asked] = [
        (one.description(mode), one.tags[:at_most] if tagged else None)
        for one in repetition.detected
    ]
    for one, (picture, _), looked in zip(
        repetition.detected, asked, _looked(pictures, asked, rules), strict=True
    ):
        found = judge(picture, looked, features, rules)
        right = [match for match in found if match.protected_id == str(one.truth)]
        wrong = [match for match in found if match.protected_id != str(one.truth)]
        rows.append(
            {
                "repetition": repetition.number,
                "mode": str(mode),
                "tags": "by tag" if tagged else "all",
                "kinds": one.kinds,
                "number": one.number,
                "attack": one.attack,
                "found": bool(right),
                "confirmed": any(match.confident for match in right),
                "others": len(wrong),
                "alarms": sum(match.confident for match in wrong),
            }
        )
    return rows


def _looked(pictures: Pictures, asked: list[Asked], rules: Rules) -> Iterator[Looked]:
    for start in range(0, len(asked), _AT_ONCE):
        yield from look_through([pictures], asked[start : start + _AT_ONCE], rules)


def accuracies(rows: list[dict[str, Any]], detected: list[int]) -> list[dict[str, Any]]:
    """Count for each table row what was judged rightly, in every repetition."""
    by = defaultdict(list)
    for row in rows:
        by[row["mode"], row["tags"], row["repetition"], row["kinds"]].append(row)
    table = []
    for (mode, tags, repetition, kinds), copies in by.items():
        if kinds == "stranger":
            continue
        strangers = [
            row for row in by[mode, tags, repetition, "stranger"] if row["attack"] not in _LAYOUTS
        ]
        for count in detected:
            sought, others = copies[: count // 2], strangers[: count // 2]
            table.append(
                {
                    "mode": mode,
                    "tags": tags,
                    "attacks": kinds,
                    "detected": count,
                    "repetition": repetition,
                    "found": _share(sought, "found"),
                    "confirmed by rule": _share(sought, "confirmed"),
                    "strangers reviewed": sum(row["others"] > 0 for row in others),
                    "strangers alarmed": sum(row["alarms"] > 0 for row in others),
                    "accuracy": _accuracy(sought, others, "others"),
                    "accuracy after review": _accuracy(sought, others, "alarms"),
                    "paper": PAPER_ACCURACY.get(count, float("nan")),
                }
            )
    return table


def _share(rows: list[dict[str, Any]], what: str) -> float:
    return float(np.mean([row[what] for row in rows]))


def _accuracy(copies: list[dict[str, Any]], strangers: list[dict[str, Any]], wrong: str) -> float:
    right = sum(row["found"] for row in copies) + sum(row[wrong] == 0 for row in strangers)
    return float(right / (len(copies) + len(strangers)))


def _print(table: list[dict[str, Any]]) -> None:
    groups = defaultdict(list)
    for row in table:
        groups[row["mode"], row["tags"], row["attacks"], row["detected"]].append(row)
    print(f"\n{'':58} {'accuracy':>22}   {'after review':>12}  found  by rule")
    for (mode, tags, kinds, detected), rows in groups.items():
        accuracy = [row["accuracy"] for row in rows]
        reviewed, found, confirmed = (
            float(np.mean([row[name] for row in rows]))
            for name in ("accuracy after review", "found", "confirmed by rule")
        )
        print(
            f"{mode:9} {tags:7} {kinds:18} {detected:5} detected (paper {rows[0]['paper']:.2%}) "
            f"{np.mean(accuracy):8.2%} ({min(accuracy):.2%} to {max(accuracy):.2%}) "
            f"{reviewed:8.2%} {found:8.2%} {confirmed:8.2%}"
        )


def _print_missed(rows: list[dict[str, Any]]) -> None:
    for mode in dict.fromkeys(row["mode"] for row in rows):
        by = defaultdict(list)
        for row in rows:
            if row["mode"] == mode and row["kinds"] != "stranger" and row["tags"] == "all":
                by[row["attack"]].append(row["found"])
        missed = {attack: 1 - float(np.mean(of)) for attack, of in by.items()}
        worst = sorted((attack for attack in missed if missed[attack]), key=missed.__getitem__)
        said = ", ".join(f"{attack} {missed[attack]:.1%}" for attack in worst[:-9:-1])
        print(f"{mode}: missed most: {said or 'nothing'}")


def _print_strangers(rows: list[dict[str, Any]]) -> None:
    """Print how many strangers were taken for copies, beside what the budgets allow."""
    for mode in dict.fromkeys(row["mode"] for row in rows):
        of = [
            row
            for row in rows
            if (row["mode"], row["kinds"], row["tags"]) == (mode, "stranger", "all")
        ]
        print(f"\n{mode}, strangers:")
        for kind in ("all", *dict.fromkeys(row["attack"] for row in of)):
            _print_alarms(kind, [row for row in of if kind in ("all", row["attack"])])


def _print_alarms(kind: str, strangers: list[dict[str, Any]]) -> None:
    budgets = Budgets()
    for what, name, budget in (
        ("others", "taken for copies", budgets.review),
        ("alarms", "alarmed by rule", budgets.alarm),
    ):
        count, of = sum(row[what] > 0 for row in strangers), len(strangers)
        low, high = clopper_pearson(count, of)
        print(
            f"  {kind:8} {count:5} of {of} {name}; the true rate is {1e6 * low:.0f} to "
            f"{1e6 * high:.0f} in a million, the budget of the standard mode {budget:g}"
        )


def main() -> None:
    """Measure, and write tables and a plot."""
    parser = argparse.ArgumentParser(description=__doc__)
    usual_trial_options(parser)
    parser.add_argument("--protected", type=int, default=2000)
    parser.add_argument("--detected", type=int, nargs="+", default=[2000, 4000])
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument(
        "--by-tag", action="store_true", help="also with those protected that have a tag in common"
    )
    parser.add_argument("--out", type=Path, default=Path("out/table2"))
    arguments = parser.parse_args()
    fitted, photos, attacks = ready(arguments)
    if attacks is None:
        parser.error(f"{arguments.attacks} is not there; give a module of attacks with --attacks")
    arguments.out.mkdir(parents=True, exist_ok=True)
    tagger = None
    if arguments.by_tag:
        tagger = Tagger(trained(fitted, arguments.keep), the_network())
    print(f"{_PAPERS}: {', '.join(KINDS)}\nall kinds: {', '.join(attacks.A)}")
    rows = []
    for number in range(arguments.repetitions):
        repetition = drawn(number, fitted, photos, attacks, tagger, arguments)
        for mode in MatchingMode:
            for tagged in (False, True) if arguments.by_tag else (False,):
                rows += judged(repetition, mode, tagged=tagged)
        table = accuracies(rows, arguments.detected)
        print(f"\nafter {number + 1} of {arguments.repetitions} repetitions", end="")
        _print(table)
        write_rows(arguments.out / "table2.csv", table)
        write_rows(arguments.out / "rows.csv", rows)
    _print_missed(rows)
    _print_strangers(rows)
    plot_table2(table, arguments.out / "table2.png")


if __name__ == "__main__":
    main()
