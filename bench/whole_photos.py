"""False alarms among whole photos: of a group of sources each half against the other.

Photos of one source are of few kinds, portraits of one pose or sunsets, and more alike than the
windows of photos that most strangers of the other measurements are. One group is the one that
``fit.py`` saw, the other is judged.
"""

import argparse
from typing import Any

from photos import Photo
from trial import ready, usual_trial_options

from srpitp_fingerprint import Description, Gallery, Steps, Verdict, describe, match
from srpitp_fingerprint.threshold import clopper_pearson

_BUDGETS = (1_000, 5_000, 20_000)  # false alarms per million detected images

Both = tuple[Description, Description]
"""A photo as a protected and as a detected one."""


def _described(photo: Photo) -> Both:
    data = photo.path.read_bytes()
    return describe(data), describe(data, detected=True)


def _alarmed(protected: list[Both], strangers: list[Both], per_million: float) -> int:
    """Count the strangers that are taken for one of the protected photos."""
    gallery = Gallery([one for one, _ in protected])
    features = {place: one.features for place, (one, _) in enumerate(protected)}
    steps = Steps().within(per_million, len(protected))
    found = (match(one, gallery, steps, features=features) for _, one in strangers)
    return sum(any(one.verdict is not Verdict.DISTINCT for one in of) for of in found)


def _judge(name: str, photos: list[Photo]) -> None:
    every = [_described(photo) for photo in photos]
    one, other = every[: len(every) // 2], every[len(every) // 2 :]
    for per_million in _BUDGETS:
        alarmed = _alarmed(one, other, per_million) + _alarmed(other, one, per_million)
        promised = per_million * len(every) / 1e6
        least, most = (len(every) * p for p in clopper_pearson(alarmed, len(every)))
        print(
            f"{name:7} {len(every):5} photos, each against {len(one)}: {alarmed:3} alarmed, "
            f"{promised:5.1f} promised at {per_million:6,} in a million "
            f"(95 %: {least:.1f} to {most:.1f})",
            flush=True,
        )


def main() -> None:
    """Judge both groups."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    usual_trial_options(parser)
    arguments: Any = parser.parse_args()
    fitted, judged, _ = ready(arguments)
    _judge("fitted", fitted)
    _judge("judged", judged)


if __name__ == "__main__":
    main()
