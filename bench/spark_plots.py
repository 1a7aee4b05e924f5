"""The plots of the Spark jobs, from the table of their costs."""

import csv
from collections import defaultdict
from pathlib import Path
from typing import Any

__all__ = ["plot_all"]

Row = dict[str, Any]
_MASTERS = {"none": "stand-alone", "local[1]": "Spark, 1 core", "local[2]": "Spark, 2 cores"}


def plot_all(table: Path, out: Path) -> None:
    """Draw what the table has; of a measurement that was repeated, the fastest."""
    rows = _fastest(table)
    for name, title, unit in (
        ("fig5", "Extraction (the paper's Fig. 5)", "images"),
        ("fig6", "Matching against 2,000 (the paper's Fig. 6)", "queries"),
    ):
        if of := [row for row in rows if row["measurement"] == name]:
            _bars(of, title, unit, out / f"spark_{name}.png")
    if of := [row for row in rows if row["measurement"] == "large" and row["what"] == "match"]:
        _growth(of, out / "spark_growth.png")


def _fastest(table: Path) -> list[Row]:
    best: dict[tuple[str, ...], Row] = {}
    with table.open(newline="") as file:
        for row in csv.DictReader(file):
            key = tuple(row[name] for name in ("measurement", "what", "master", "images"))
            if key not in best or float(row["seconds"]) < float(best[key]["seconds"]):
                best[key] = row
    return list(best.values())


def _axes(columns: int = 1) -> tuple[Any, Any]:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, columns, figsize=(5.5 * columns, 4), layout="constrained")
    return figure, axes


def _bars(rows: list[Row], title: str, unit: str, path: Path) -> None:
    """Draw seconds by size and by where it ran; what a start takes stands on top."""
    figure, axes = _axes()
    sizes = sorted({int(row["images"]) for row in rows})
    for number, (master, label) in enumerate(_MASTERS.items()):
        of = {int(row["images"]): row for row in rows if row["master"] == master}
        places = [k + 0.27 * (number - 1) for k, size in enumerate(sizes) if size in of]
        work = [float(of[size]["seconds"]) for size in sizes if size in of]
        start = [float(of[size]["start_seconds"]) for size in sizes if size in of]
        bars = axes.bar(places, work, 0.25, label=label)
        color = bars.patches[0].get_facecolor() if bars.patches else None
        axes.bar(places, start, 0.25, bottom=work, color=color, alpha=0.35)
        axes.bar_label(bars, fmt="%.2g", fontsize=8)
    axes.set_xticks(range(len(sizes)), [f"{size:,} {unit}" for size in sizes])
    axes.set(title=title, ylabel="seconds (pale: start of Spark)")
    axes.legend()
    figure.savefig(path, dpi=110)


def _growth(rows: list[Row], path: Path) -> None:
    """Draw speed-up, size-up and scale-up of the whole job."""
    seconds = defaultdict[int, dict[int, float]](dict)
    for row in rows:
        cores = int(row["master"].removeprefix("local[").rstrip("]"))
        seconds[cores][int(row["images"])] = float(row["seconds"])
    figure, (up, size, scale) = _axes(3)
    both = sorted(seconds[1].keys() & seconds[2].keys())
    up.plot([1, 2], [1, 2], "k:", label="ideal")
    for images in both:
        speed_up = seconds[1][images] / seconds[2][images]
        up.plot([1, 2], [1, speed_up], "o-", label=f"{images:,} queries: {speed_up:.2f}")
    up.set(title="speed-up", xlabel="cores", xticks=[1, 2])
    for cores, of in sorted(seconds.items()):
        sizes = sorted(of)
        size.plot(sizes, [of[images] for images in sizes], "o-", label=f"{cores} cores")
    size.set(title="size-up", xlabel="queries", ylabel="seconds", ylim=(0, None))
    pairs = [(images, 2 * images) for images in both if 2 * images in seconds[2]]
    for one, two in pairs:
        ratio = seconds[1][one] / seconds[2][two]
        scale.plot([1, 2], [1, ratio], "o-", label=f"{one:,} on 1, {two:,} on 2: {ratio:.2f}")
    scale.set(title="scale-up", xlabel="cores", xticks=[1, 2], ylim=(0, 1.3))
    for axes in (up, size, scale):
        axes.legend(fontsize=8)
    figure.savefig(path, dpi=110)
