"""The plots of a measurement: distances as in the paper's Fig. 3, and recall by attack."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from trial import Trial

from srpitp_fingerprint import Description, Threshold, describe, distance

__all__ = ["plot_distances", "plot_recall"]

_PAIRS, _COPIES = 20_000, 400


def _axes(width: float, height: float) -> tuple[Any, Any]:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(width, height), layout="constrained")
    return figure, axes


def plot_distances(
    protected: list[Description], trial: Trial, attacks: ModuleType | None, path: Path
) -> None:
    """Draw the distances of same and of different pictures, and the Gaussian of the latter."""
    random = np.random.default_rng(1)
    prints = [one.extraction.views[0].fingerprint for one in protected]
    pairs = random.integers(0, len(prints), (_PAIRS, 2))
    different = np.array([distance(prints[i], prints[j]) for i, j in pairs if i != j])
    same = []
    for picture, _ in zip(trial.altered(attacks), range(_COPIES), strict=False):
        copy = describe(picture.data).extraction.views[0].fingerprint
        same.append(distance(prints[picture.truth], copy))
    mean, variance = different.mean(), different.var()
    grid = np.linspace(0, 1, 500)
    gaussian = np.exp(-((grid - mean) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
    figure, axes = _axes(8, 4)
    axes.hist(same, 60, (0, 1), density=True, alpha=0.6, label="altered copies")
    axes.hist(different, 120, (0, 1), density=True, alpha=0.6, label="different pictures")
    axes.plot(grid, gaussian, "k-", lw=1, label=f"N({mean:.4f}, {variance:.4f})")
    for name, threshold in (
        ("paper's", Threshold.paper()),
        ("Gaussian, one in a million", Threshold.gaussian(different, 1e-6)),
    ):
        axes.axvline(threshold.distance, ls="--", lw=1, label=f"{name}: {threshold.distance:.4f}")
    axes.set(xlabel="distance of whole pictures", ylabel="density")
    axes.legend()
    figure.savefig(path, dpi=120)


def plot_recall(recall: dict[str, dict[str, float]], path: Path) -> None:
    """Draw the recall of every attack and method as bars."""
    methods = list(next(iter(recall.values())))
    figure, axes = _axes(10, 0.32 * len(recall) + 1)
    height = 0.8 / len(methods)
    for k, method in enumerate(methods):
        places = np.arange(len(recall)) + k * height
        axes.barh(places, [values[method] for values in recall.values()], height, label=method)
    axes.set_yticks(np.arange(len(recall)) + 0.4, list(recall))
    axes.invert_yaxis()
    axes.set(xlabel="recall at one stranger alarmed in a thousand", xlim=(0, 1))
    axes.legend(loc="lower left")
    figure.savefig(path, dpi=100)
