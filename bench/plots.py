"""The plots of a measurement: distances as in the paper's Fig. 3, and recall by attack."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from trial import Trial

from srpitp_fingerprint import Description, Threshold, describe, distance

__all__ = ["plot_distances", "plot_fig4", "plot_recall", "plot_table2", "plot_tags"]

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


def plot_tags(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw by attack how many copies meet their originals, and how much is scanned."""
    figure, axes = _axes(10, 0.24 * len(rows) + 1)
    places = np.arange(len(rows))
    for name, marker in (("meets", "|"), ("best tag stays", "."), ("scanned", "x")):
        axes.plot([row[name] for row in rows], places, marker, label=name)
    axes.set_yticks(places, [row["attack"] for row in rows])
    axes.invert_yaxis()
    axes.set(xlabel="share", xlim=(0, 1.01))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left")
    figure.savefig(path, dpi=100)


def plot_fig4(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw the time of matching with and without tags, as shares of the time without."""
    figure, axes = _axes(9, 4.5)
    labels = [f"{row['way']}\n{row['detected']} detected" for row in rows]
    places = np.arange(len(rows))
    with_tags = [row["seconds with tags"] / row["seconds without tags"] for row in rows]
    axes.bar(places - 0.27, [1] * len(rows), 0.27, label="without tags")
    axes.bar(places, with_tags, 0.27, label="with tags")
    paper = [1 - row["saved in the paper"] for row in rows]
    axes.bar(places + 0.27, paper, 0.27, label="with tags, in the paper", color="0.7")
    for place, row in zip(places, rows, strict=True):
        text = f"{row['seconds without tags']:.3g} s"
        axes.text(place - 0.27, 1.01, text, ha="center", fontsize="small")
    axes.set_xticks(places, labels, fontsize="small")
    axes.set(ylabel="time of matching, without tags = 1", ylim=(0, 1.25))
    axes.legend(loc="upper right", ncols=3, fontsize="small")
    figure.savefig(path, dpi=110)


def plot_table2(table: list[dict[str, Any]], path: Path) -> None:
    """Draw the accuracy of every repetition beside the paper's."""
    figure, axes = _axes(9, 4.5)
    groups = list(dict.fromkeys((row["mode"], row["attacks"], row["detected"]) for row in table))
    for row in table:
        place = groups.index((row["mode"], row["attacks"], row["detected"]))
        shift, marker = (-0.12, "o") if row["tags"] == "all" else (0.12, "x")
        axes.plot(place + shift, row["accuracy"], marker, color="C0" if marker == "o" else "C1")
        axes.plot([place - 0.35, place + 0.35], 2 * [row["paper"]], "-", color="0.6")
    axes.plot([], [], "oC0", label="all protected photos")
    axes.plot([], [], "xC1", label="those with a tag in common")
    axes.plot([], [], "-", color="0.6", label="the paper's Table 2")
    names = [f"{mode}\n{kinds}\n{count} detected" for mode, kinds, count in groups]
    axes.set_xticks(range(len(groups)), names, fontsize="small")
    axes.set(ylabel="accuracy")
    axes.grid(axis="y", alpha=0.3)
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=110)
