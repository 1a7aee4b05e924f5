"""The tag rule: do copies meet their originals, and how much is scanned; the paper's Fig. 4.

The head is trained anew, on photos of other sources than those that are judged: the one that ships
has seen all photos.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import cv2
import numpy as np
from alterations import ALTERATIONS, alter
from fig4 import measure_fig4
from numpy.typing import NDArray
from photos import Photo, decoded
from plots import plot_tags
from tables import write_rows
from train_tags import MONTAGES, fit, samples_of, tag_of, tags_in, the_network
from trial import kept, ready, usual_trial_options

from srpitp_fingerprint import panels_of
from srpitp_tagging import FLOOR, PANEL_FLOOR, Head, Tagger, features_of

__all__ = ["trained"]

Pixels = NDArray[np.uint8]
_FLOORS = (0.02, 0.03, FLOOR, 0.07, 0.1, 0.15)
_RESAMPLED = 2000


@dataclass(frozen=True)
class Judged:
    """How sure the head is of each tag: of photos, and of every copy of each.

    Attributes
    ----------
    tags : tuple of str
    truth : ndarray, shape (photos,)
        Which tag each photo should have.
    originals : ndarray, shape (photos, tags)
    attacks : list of str
    copies : ndarray, shape (photos, attacks, tags)
    panels : ndarray, shape (panels, tags)
        Of the photos into which copies are parted, which they may be made of.
    parted : ndarray, shape (panels, 2)
        Which photo and which attack each panel is of.
    """

    tags: tuple[str, ...]
    truth: NDArray[np.intp]
    originals: NDArray[np.float64]
    attacks: list[str]
    copies: NDArray[np.float64]
    panels: NDArray[np.float64]
    parted: NDArray[np.intp]


@dataclass(frozen=True)
class Rule:
    """What a floor comes to, copy by copy: arrays of shape (photos, attacks)."""

    met: NDArray[np.bool_]
    scanned: NDArray[np.float64]


def trained(photos: list[Photo], keep: Path | None) -> Head:
    """Train a head on photos, as `train_tags.py` trains the one that ships."""
    path = keep / "tags-fitted.pickle" if keep else None
    return fit(kept(path, lambda: samples_of(photos, the_network())), photos, tags_in(photos))


def _copies(photos: list[Photo], attacks: ModuleType | None, own: list[str]) -> Iterator[Pixels]:
    """Alter each photo in every way; all of one photo together."""
    others = [photo.pixels() for photo in photos[:60]]
    for place, photo in enumerate(photos):
        image = photo.pixels()
        mixed_in = [others[(3 * place + k) % len(others)] for k in range(3)]
        if attacks:
            for name in attacks.A:
                yield attacks.attack(image, name, place)
        for name in own:
            yield alter(image, name, mixed_in, place)


def _as_files(pictures: Iterator[Pixels]) -> Iterator[Pixels]:
    """Save and read each, as whoever publishes them does."""
    for pixels in pictures:
        yield decoded(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes())


class _Features(NamedTuple):
    """Of photos, of all their copies, and of the panels of those, with the copy that each is of."""

    originals: NDArray[np.float32]
    copies: NDArray[np.float32]
    panels: NDArray[np.float32]
    copy: NDArray[np.intp]


def _features(photos: list[Photo], attacks: ModuleType | None, own: list[str]) -> _Features:
    net = the_network()
    copies, panels, copy = [], [], []
    for number, pixels in enumerate(_as_files(_copies(photos, attacks, own))):
        parted = panels_of(pixels)
        copies.append(features_of([pixels], net))
        panels.append(features_of(parted, net))
        copy += [number] * len(parted)
    return _Features(
        features_of((photo.pixels() for photo in photos), net),
        np.concatenate(copies),
        np.concatenate(panels),
        np.array(copy, np.intp),
    )


def judged_by(
    head: Head,
    photos: list[Photo],
    attacks: ModuleType | None,
    own: list[str],
    keep: Path | None,
) -> Judged:
    """Let the head judge photos and their copies."""
    path = keep / f"tags-judged-{len(photos)}-{len(own)}.pickle" if keep else None
    features = _Features(*kept(path, lambda: tuple(_features(photos, attacks, own))))
    names = [*(attacks.A if attacks else ()), *(f"+{name}" for name in own)]
    confidences = head.confidences(features.copies)
    return Judged(
        head.tags,
        np.array([head.tags.index(tag_of(photo)) for photo in photos]),
        head.confidences(features.originals),
        names,
        confidences.reshape(len(photos), len(names), len(head.tags)),
        head.confidences(features.panels),
        np.column_stack(np.divmod(features.copy, len(names))),
    )


def given(confidences: NDArray[np.float64], floor: float) -> NDArray[np.bool_]:
    """Say which tags pictures get: those above the floor, and the best one."""
    best = confidences.argmax(axis=-1, keepdims=True)
    tags = confidences >= floor
    np.put_along_axis(tags, best, values=True, axis=-1)
    return tags


def by_rule(judged: Judged, floor: float, *, at_most_one: bool = False) -> Rule:
    """Apply the rule to everything: the protected set are the originals."""
    if at_most_one:  # the paper's single tag
        floor = 1.1
    originals, copies = given(judged.originals, floor), given(judged.copies, floor)
    if not at_most_one:
        panels = given(judged.panels, max(floor, PANEL_FLOOR))
        np.logical_or.at(copies, tuple(judged.parted.T), panels)
    met = np.any(originals[:, None] & copies, axis=-1)
    # The share of protected images with a tag in common, by the kinds of sets that there are.
    sets, counts = np.unique(originals, axis=0, return_counts=True)
    shares = counts / counts.sum()
    meets = (copies[:, :, None] & sets).any(axis=-1)
    return Rule(np.asarray(met), meets @ shares)


def interval(by_photo: NDArray[np.float64]) -> tuple[float, float]:
    """Say between what a mean lies, 95 %: photos are drawn anew, with all of their copies."""
    random = np.random.default_rng(5)
    drawn = random.integers(0, len(by_photo), (_RESAMPLED, len(by_photo)))
    low, high = np.quantile(by_photo[drawn].mean(axis=1), (0.025, 0.975))
    return float(low), float(high)


def _groups(attacks: list[str]) -> dict[str, NDArray[np.bool_]]:
    own = np.array([name[0] == "+" for name in attacks])
    montage = np.array([name[1:] in MONTAGES for name in attacks])
    groups = {"the 58": ~own, "our own": own & ~montage, "our montages": own & montage}
    return {name: chosen for name, chosen in groups.items() if chosen.any()}


def report(judged: Judged) -> list[dict[str, Any]]:
    """Print the rule by group of attacks; return its rows by attack."""
    best = judged.originals.argmax(axis=1)
    right = best == judged.truth
    print(f"\n{len(right)} photos; best tag right: {_said(right.astype(float))}")
    for number, tag in enumerate(judged.tags):
        of = right[judged.truth == number]
        print(f"  {tag:10} {of.mean():.3f} of {len(of)}")
    stays = judged.copies.argmax(axis=2) == best[:, None]
    for name, chosen in _groups(judged.attacks).items():
        print(f"\n{name}: {chosen.sum()} attacks, {chosen.sum() * len(right):,} copies")
        print(f"  best tag stays: {_said(stays[:, chosen].mean(axis=1))}")
        single = by_rule(judged, FLOOR, at_most_one=True)
        _print_rule("one tag", single, chosen)
        for floor in _FLOORS:
            mark = " (ships)" if floor == FLOOR else ""
            _print_rule(f"floor {floor:g}{mark}", by_rule(judged, floor), chosen)
    rule = by_rule(judged, FLOOR)
    return [
        {
            "attack": name,
            "meets": float(rule.met[:, k].mean()),
            "scanned": float(rule.scanned[:, k].mean()),
            "best tag stays": float(stays[:, k].mean()),
        }
        for k, name in enumerate(judged.attacks)
    ]


def _print_rule(name: str, rule: Rule, chosen: NDArray[np.bool_]) -> None:
    met, scanned = rule.met[:, chosen].mean(axis=1), rule.scanned[:, chosen].mean(axis=1)
    print(f"  {name:18} meets its original {_said(met)}, scanned {_said(scanned)}")


def _said(by_photo: NDArray[np.float64]) -> str:
    low, high = interval(by_photo)
    return f"{by_photo.mean():.4f} ({low:.4f} to {high:.4f})"


def main() -> None:
    """Measure, and write tables and plots."""
    parser = argparse.ArgumentParser(description=__doc__)
    usual_trial_options(parser)
    parser.add_argument("--judged", type=int, help="so many photos; by default all")
    parser.add_argument("--given-only", action="store_true", help="only alter as --attacks say")
    parser.add_argument("--protected", type=int, default=2000, help="of Fig. 4")
    parser.add_argument("--detected", type=int, nargs="*", default=(2000, 4000), help="of Fig. 4")
    parser.add_argument("--turns", type=int, default=5, help="of Fig. 4; the fastest counts")
    parser.add_argument("--out", type=Path, default=Path("out/tags"))
    arguments = parser.parse_args()
    fitted, photos, attacks = ready(arguments)
    arguments.out.mkdir(parents=True, exist_ok=True)
    head = trained(fitted, arguments.keep)
    own = [] if arguments.given_only else list(ALTERATIONS)
    judged = judged_by(head, photos[: arguments.judged], attacks, own, arguments.keep)
    rows = report(judged)
    write_rows(arguments.out / "tags.csv", rows)
    plot_tags(rows, arguments.out / "tags.png")
    if arguments.detected:
        write_rows(
            arguments.out / "fig4.csv",
            measure_fig4(fitted, photos, attacks, Tagger(head, the_network()), arguments),
        )


if __name__ == "__main__":
    main()
