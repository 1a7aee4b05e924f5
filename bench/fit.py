"""Fit the scores and the tails that ship as calibration.json, on photos of some sources only."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from trial import ALONE, Picture, Trial, kept, ready, usual_trial_options, with_views

from srpitp_fingerprint import (
    VIEW_SETS,
    Candidate,
    Description,
    Gallery,
    Steps,
    Tail,
    Verification,
    candidates,
    describe,
    verify,
)
from srpitp_fingerprint.candidates import chosen, parts, shown_by
from srpitp_fingerprint.matching import NO_LONGER_NEAR
from srpitp_fingerprint.verification import evidence

_ALL = Steps(tight=-1.0, bar=np.inf)  # verify every candidate, accept none
_COMPARISONS = 6 * 2 * 2 * 2  # K6, Q2, as it is and mirrored, positive and negative
_COMPARISONS_ALONE = 10 * 2 * 8 * 2  # K10, Q2, all orientations, positive and negative
_NEARLY = 0.35  # agreement of strangers that count: too few reach `LEAST_AGREEMENT` to fit a tail
_OFTEN = 0.03  # of the strangers: where the rates of both are compared
_PULL = 1.0


def _logistic(x: NDArray[np.float64], y: NDArray[np.bool_]) -> list[float]:
    """Fit log-odds, both classes of equal weight, with a pull towards zero."""
    x = np.column_stack([np.ones(len(x)), x])
    weight = np.where(y, (~y).sum() / y.sum(), 1.0)
    pull = _PULL * np.eye(x.shape[1])
    pull[0, 0] = 0
    fitted = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ fitted))
        slope = x.T @ (weight * (y - p)) - pull @ fitted
        fitted += np.linalg.solve((x.T * (weight * p * (1 - p))) @ x + pull, slope)
    return [round(float(value), 4) for value in fitted]


def _verifications(
    described: Description, found: list[Candidate], protected: list[Description]
) -> Iterator[tuple[Candidate, Verification]]:
    """Verify what `decide` would: it is not asked, since its scores are those that ship."""
    for number, part in enumerate(parts(described, _ALL)):
        for one in chosen([one for one in found if one.part == number], _ALL):
            mine, theirs = shown_by(part, one), protected[one.place].features
            if mine is not None and theirs is not None and not one.exact:
                yield one, verify(mine, theirs)


def _row(found: Candidate, verification: Verification) -> list[float]:
    near = min(found.nearness, NO_LONGER_NEAR)
    return [verification.agreement, *evidence(verification), near]


def _verified(
    pictures: list[tuple[Picture, Description]], protected: list[Description]
) -> tuple[list[list[float]], list[float]]:
    """Verify all candidates of each picture.

    Returns
    -------
    rows : list of list of float
        For each verified candidate the picture's number, whether it is the true one, how well its
        pixels agree, what is seen.
    nearest : list of float
        Smallest nearness of each picture that would count.
    """
    gallery = Gallery(protected)
    rows, nearest = [], []
    for number, (picture, described) in enumerate(pictures):
        found = candidates(described, gallery, _ALL)
        nearest.append(_nearest(found))
        rows += [
            [number, one.place == picture.truth, *_row(one, verification)]
            for one, verification in _verifications(described, found, protected)
        ]
    return rows, nearest


def _nearest(found: list[Candidate]) -> float:
    return min((one.nearness for one in found if not one.plain), default=np.inf)


def _growth(nearest: list[float], alone: list[float]) -> float:
    """Tell with which power of the comparisons the rate grows, from both ways to compare."""
    often = round(_OFTEN * len(nearest))
    more = np.count_nonzero(np.array(alone) <= np.sort(nearest)[often - 1])
    growth = np.log(more / often) / np.log(_COMPARISONS_ALONE / _COMPARISONS)
    return round(float(max(0.0, growth)), 3)


def _best_scores(strange: NDArray[np.float64], weights: list[float], count: int) -> list[float]:
    """Give the highest score of each stranger, of those that would nearly count."""
    best = np.full(count, -np.inf)
    scores = weights[0] + strange[:, 3:] @ weights[1:]
    alike = strange[:, 2] >= _NEARLY
    np.maximum.at(best, strange[alike, 0].astype(np.int64), scores[alike])
    return best.tolist()


def main() -> None:
    """Fit, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    usual_trial_options(parser)
    parser.add_argument("--originals", type=int, default=24)
    parser.add_argument("--protected", type=int, default=6000)
    parser.add_argument("--strangers", type=int, default=4000)
    default = Path(__file__).parents[1] / "libs/fingerprint/src/srpitp_fingerprint/calibration.json"
    parser.add_argument("--out", type=Path, default=default)
    arguments = parser.parse_args()
    photos, _, attacks = ready(arguments)
    half = len(photos) // 2
    trial = Trial(
        photos[: arguments.originals], photos[arguments.originals : half], photos[half:],
        arguments.protected, arguments.strangers,
    )  # fmt: skip

    def keep(name: str) -> Path | None:
        folder: Path | None = arguments.keep
        return folder / f"fit-{name}.pickle" if folder else None

    def described(pictures: Iterator[Picture]) -> list[tuple[Picture, Description]]:
        return [(replace(p, data=b""), describe(p.data, detected=True)) for p in pictures]

    def made(p: Picture) -> Description:
        return describe(p.data, views="K10")

    wide = kept(keep("set"), lambda: [made(p) for p in trial.protected_set()])
    protected = [with_views(one, VIEW_SETS["K6"]) for one in wide]
    print(len(protected), "protected", flush=True)
    copies = kept(keep("altered"), lambda: described(trial.altered(attacks)))
    altered = np.array(_verified(copies, protected)[0])
    print(len(copies), "altered", flush=True)
    outside = kept(keep("strangers"), lambda: described(trial.stranger_set()))
    found, nearest = _verified(outside, protected)
    strange = np.array(found)
    print(len(outside), "strangers", flush=True)
    gallery = Gallery(wide, points=False)
    alone = [_nearest(candidates(one, gallery, ALONE)) for _, one in outside]
    true = altered[altered[:, 1] == 1]
    x = np.concatenate([true[:, 3:], strange[:, 3:]])
    y = np.arange(len(x)) < len(true)
    weights = _logistic(x, y)
    scores = _best_scores(strange, weights, len(outside))
    near = Tail.fit([-one for one in nearest], arguments.protected, _COMPARISONS)
    # Windows do not count here: other photos, and layouts, are what shares points by mistake.
    met = [number for number, (picture, _) in enumerate(outside) if picture.kind != "window"]
    fitted = {
        "verification": _logistic(x[:, :-1], y),
        "match": weights,
        "nearness": replace(near, growth=_growth(nearest, alone)),
        "score": Tail.fit([scores[k] for k in met], arguments.protected),
    }
    arguments.out.write_text(json.dumps(fitted, indent=1, default=_fields) + "\n")
    print(arguments.out.read_text())


def _fields(tail: Tail) -> dict[str, float]:
    return {name: getattr(tail, name) for name in Tail.__slots__}


if __name__ == "__main__":
    main()
