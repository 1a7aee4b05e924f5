"""Recall of every attack at one stranger alarmed in a thousand, beside PDQ, pHash and dHash.

Nothing is fitted on what is judged: the thresholds are those that ship, chosen for the size of the
protected set; they were fitted on photos of other sources. The peers' thresholds are taken from the
very strangers that they are judged by, which favours them.
"""

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from peers import PDQ_USUAL, PEERS, nearest_bits
from photos import decoded
from plots import plot_distances, plot_recall
from tables import write_rows
from trial import ALONE, Picture, Trial, kept, ready, usual_trial_options, with_views

from srpitp_fingerprint import (
    VIEW_SETS,
    Description,
    Gallery,
    Steps,
    Verdict,
    clopper_pearson,
    describe,
    match,
)

_PER_MILLION = 1000
_LAX = (5_000, 20_000)  # budgets at which false alarms can be counted
_OWN = ("cascade", "fingerprint")
_PARTS = 6  # for each process: they need not end together


def _hashes(picture: Picture) -> dict[str, NDArray[np.uint8]]:
    pixels = decoded(picture.data)
    return {name: of(pixels) for name, of in PEERS.items()}


class Judge:
    """The protected set, for every method, and what each says of a picture."""

    def __init__(self, wide: list[Description], peers: list[dict[str, Any]], own: set[str]) -> None:
        self.own: dict[str, tuple[Gallery, Steps]] = {}
        self._features = [one.features for one in wide]
        if "cascade" in own:
            gallery = Gallery([with_views(one, VIEW_SETS["K6"]) for one in wide])
            self.own["cascade"] = gallery, Steps().within(_PER_MILLION, len(wide))
        if "fingerprint" in own:
            gallery = Gallery(wide, points=False)
            steps = ALONE.within(_PER_MILLION, len(wide), (10, 2))
            self.own["fingerprint"] = gallery, steps
        self.peers = {name: np.stack([bits[name] for bits in peers]) for name in PEERS if peers}

    def row(self, picture: Picture) -> dict[str, Any]:
        """Judge one picture: what was found, how near, and by the peers' distances."""
        row: dict[str, Any] = {"name": picture.name, "kind": picture.kind}
        if self.own:
            row |= self._found(picture)
        for name, bits in _hashes(picture).items() if self.peers else ():
            apart = nearest_bits(bits, self.peers[name])
            row[name] = int(apart[picture.truth] if picture.truth >= 0 else apart.min())
        return row

    def _found(self, picture: Picture) -> dict[str, Any]:
        described = describe(picture.data, detected=True)
        row: dict[str, Any] = {}
        for method, (gallery, steps) in self.own.items():
            found = match(described, gallery, steps, features=self._features.__getitem__)
            places = {m.place for m in found if m.verdict is not Verdict.DISTINCT}
            row[method] = picture.truth in places if picture.truth >= 0 else bool(places)
            true = [m for m in found if picture.truth in (m.place, -1)]
            row[f"{method} nearness"] = min((m.nearness for m in true), default=np.nan)
            row[f"{method} score"] = max((m.score for m in true), default=-np.inf)
        return row


def _judged(
    judge: Judge, pictures: Callable[[int, int], Iterator[Picture]], processes: int
) -> list[dict[str, Any]]:
    """Judge pictures, each process a part of them; they share what the judge holds."""
    if processes == 1:
        return [judge.row(picture) for picture in pictures(0, 1)]
    parts = _PARTS * processes
    with get_context("fork").Pool(processes, _hold, (judge, pictures)) as pool:
        return list(chain.from_iterable(pool.starmap(_part, [(n, parts) for n in range(parts)], 1)))


_HELD: list[Any] = []


def _hold(*what: Any) -> None:
    _HELD[:] = what


def _part(part: int, of: int) -> list[dict[str, Any]]:
    judge, pictures = _HELD
    return [judge.row(picture) for picture in pictures(part, of)]


def _recall(
    rows: list[dict[str, Any]], strangers: list[dict[str, Any]]
) -> dict[str, dict[str, float]]:
    """Share of copies found, by attack and method."""
    allowed = round(len(strangers) * _PER_MILLION / 1e6)
    peers = [name for name in PEERS if name in strangers[0]]
    limits = {name: sorted(row[name] for row in strangers)[allowed] - 1 for name in peers}
    by_attack = defaultdict(list)
    for row in rows:
        by_attack[row["kind"]].append(row)
    return {
        attack: {
            **{name: float(np.mean([row[name] for row in of])) for name in _OWN if name in of[0]},
            **{name: float(np.mean([row[name] <= limits[name] for row in of])) for name in peers},
            **({"PDQ at 31": float(np.mean([r["PDQ"] <= PDQ_USUAL for r in of]))} if peers else {}),
        }
        for attack, of in by_attack.items()
    }


def _alarms(strangers: list[dict[str, Any]], protected: int) -> list[dict[str, Any]]:
    """Count the strangers that were alarmed, by kind; then those that laxer budgets alarm."""
    table = []
    for method, steps, views in (("cascade", Steps(), (6, 2)), ("fingerprint", ALONE, (10, 2))):
        if method not in strangers[0]:
            continue
        for kind in ("all", *sorted({row["kind"] for row in strangers})):
            of = [row[method] for row in strangers if kind in ("all", row["kind"])]
            table.append(_counted(method, kind, of, _PER_MILLION))
        for budget in _LAX:
            lax = steps.within(budget, protected, views)
            of = [
                row[f"{method} nearness"] <= lax.tight or row[f"{method} score"] > lax.bar
                for row in strangers
            ]
            table.append(_counted(method, "all", of, budget))
    return table


def _counted(method: str, kind: str, alarmed: list[bool], budget: float) -> dict[str, Any]:
    low, high = clopper_pearson(sum(alarmed), len(alarmed))
    return {
        "method": method,
        "strangers": kind,
        "count": len(alarmed),
        "promised": budget / 1e6 * len(alarmed),
        "alarmed": sum(alarmed),
        "at least": low * len(alarmed),
        "at most": high * len(alarmed),
    }


def _report(
    out: Path, copies: list[dict[str, Any]], strangers: list[dict[str, Any]], protected: int
) -> None:
    recall = _recall(copies, strangers)
    methods = list(next(iter(recall.values())))
    groups = {
        "mean of the 58": [a for a in recall if a[0] != "+"],
        "mean of our own": [a for a in recall if a[0] == "+"],
    }
    for name, attacks in groups.items():
        if attacks:
            recall[name] = {m: float(np.mean([recall[a][m] for a in attacks])) for m in methods}
    write_rows(
        out / "recall.csv", [{"attack": attack, **values} for attack, values in recall.items()]
    )
    if alarms := _alarms(strangers, protected):
        write_rows(out / "alarms.csv", alarms)
    write_rows(out / "rows.csv", copies + strangers)
    print(f"{'attack':22}", *(f"{m:>12}" for m in methods))
    for attack, values in recall.items():
        print(f"{attack:22}", *(f"{values[m]:12.3f}" for m in methods))
    plot_recall(recall, out / "recall.png")


def main() -> None:
    """Measure, and write tables and plots."""
    parser = argparse.ArgumentParser(description=__doc__)
    usual_trial_options(parser)
    parser.add_argument("--originals", type=int, default=100)
    parser.add_argument("--protected", type=int, default=10_000)
    parser.add_argument("--strangers", type=int, default=4000)
    methods = (*_OWN, "peers")
    parser.add_argument("--methods", nargs="+", choices=methods, default=methods)
    parser.add_argument("--looked-for", type=int, help="so many of the originals; by default all")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("accuracy"))
    arguments = parser.parse_args()
    crowd, photos, attacks = ready(arguments)
    trial = Trial(
        photos[: arguments.originals], crowd, photos[arguments.originals :],
        arguments.protected, arguments.strangers,
    )  # fmt: skip

    def keep(name: str) -> Path | None:
        folder: Path | None = arguments.keep
        return folder / f"{name}-{arguments.protected}.pickle" if folder else None

    wide = kept(
        keep("protected"), lambda: [describe(p.data, views="K10") for p in trial.protected_set()]
    )
    peers = []
    if "peers" in arguments.methods:
        peers = kept(keep("peers"), lambda: [_hashes(p) for p in trial.protected_set()])
    arguments.out.mkdir(parents=True, exist_ok=True)
    plot_distances(wide, trial, attacks, arguments.out / "distances.png")
    judge = Judge(wide, peers, set(arguments.methods))
    print(f"{len(wide)} protected", flush=True)
    strangers = _judged(judge, trial.stranger_set, arguments.processes)
    print(*_alarms(strangers, arguments.protected), sep="\n", flush=True)
    sought = replace(trial, originals=trial.originals[: arguments.looked_for])
    copies = _judged(judge, partial(sought.altered, attacks), arguments.processes)
    _report(arguments.out, copies, strangers, arguments.protected)


if __name__ == "__main__":
    main()
