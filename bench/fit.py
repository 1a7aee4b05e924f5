"""Fit the scores and the tails that ship as calibration.json, on photos of some sources only."""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from trial import Picture, Trial, kept, ready, usual_trial_options

from srpitp_fingerprint import Description, Gallery, Match, Steps, Tail, describe, match

_ALL = Steps(tight=-1.0, bar=np.inf)  # verify every candidate, accept none
_COMPARISONS = 6 * 2 * 2 * 2  # K6, Q2, as it is and mirrored, positive and negative
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


def _row(found: Match) -> list[float]:
    v = found.verification
    seen = (np.log1p(v.inliers), v.agreement, v.spread) if v else (0.0, 0.0, 0.0)
    return [*seen, found.nearness, float(np.log1p(found.points))]


def _candidates(
    pictures: list[tuple[Picture, Description]], protected: list[Description]
) -> list[list[float]]:
    """Give a row for each candidate of each picture: number, whether true, what is known."""
    gallery, features = Gallery(protected), [one.features for one in protected]
    rows = []
    for number, (picture, described) in enumerate(pictures):
        rows += [
            [number, one.place == picture.truth, *_row(one)]
            for one in match(described, gallery, _ALL, features=features.__getitem__)
            if one.place == picture.truth or one.verification
        ]
    return rows


def main() -> None:
    """Fit, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    usual_trial_options(parser)
    parser.add_argument("--originals", type=int, default=20)
    parser.add_argument("--protected", type=int, default=4000)
    parser.add_argument("--strangers", type=int, default=1500)
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

    protected = kept(keep("set"), lambda: [describe(p.data) for p in trial.protected_set()])
    print(len(protected), "protected", flush=True)
    copies = kept(keep("altered"), lambda: described(trial.altered(attacks)))
    altered = np.array(_candidates(copies, protected), np.float64)
    print(len(copies), "altered", flush=True)
    outside = kept(keep("strangers"), lambda: described(trial.stranger_set()))
    strange = np.array(_candidates(outside, protected), np.float64)
    true = altered[altered[:, 1] == 1]
    x = np.concatenate([true[:, 2:], strange[:, 2:]])
    y = np.arange(len(x)) < len(true)
    weights = _logistic(x, y)
    score: dict[float, float] = defaultdict(lambda: -np.inf)
    near: dict[float, float] = defaultdict(lambda: -np.inf)
    for number, _, *row in strange.tolist():
        score[number] = max(score[number], weights[0] + float(np.dot(weights[1:], row)))
        near[number] = max(near[number], -row[3])
    fitted = {
        "verification": _logistic(x[:, :3], y),
        "match": weights,
        "nearness": Tail.fit(list(near.values()), arguments.protected, _COMPARISONS),
        "score": Tail.fit(list(score.values()), arguments.protected),
    }
    arguments.out.write_text(json.dumps(fitted, indent=1, default=_fields) + "\n")
    print(arguments.out.read_text())


def _fields(tail: Tail) -> dict[str, float]:
    return {name: getattr(tail, name) for name in Tail.__slots__}


if __name__ == "__main__":
    main()
