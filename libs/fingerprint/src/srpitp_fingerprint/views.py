"""The views of a picture: parts of it that a copy may show, each fingerprinted by itself."""

from types import MappingProxyType
from typing import Literal, get_args

from .elements import Halved
from .trimming import WHOLE, Box, content_box

__all__ = ["VIEW_SETS", "ViewSet", "boxes", "trimmed_box"]

ViewSet = Literal["K1", "K2", "K6", "K10", "Q1", "Q2", "Q6", "Q10"]
"""K: views to register. Q: views to look for. The figure counts them."""

_WHOLE, _TRIMMED = ("whole",), ("whole", "trimmed")
_CENTRES = ("centre6", "centre12", "centre18", "square")
_CORNERS = ("top_left90", "top_right90", "bottom_left90", "bottom_right90")
_QUADRANTS = ("top_left", "top_right", "bottom_left", "bottom_right")
_HALVES = ("left", "right", "top", "bottom")

VIEW_SETS = MappingProxyType(
    dict(
        zip(
            get_args(ViewSet),
            (
                _WHOLE,
                _TRIMMED,
                _TRIMMED + _CENTRES,
                _TRIMMED + _CENTRES + _CORNERS,
                _WHOLE,
                _TRIMMED,
                _TRIMMED + _QUADRANTS,
                _TRIMMED + _QUADRANTS + _HALVES,
            ),
            strict=True,
        )
    )
)
"""Names of the views in each set."""

_FIXED = MappingProxyType(
    {
        "whole": WHOLE,
        "centre6": Box(0.03, 0.97, 0.03, 0.97),
        "centre12": Box(0.06, 0.94, 0.06, 0.94),
        "centre18": Box(0.09, 0.91, 0.09, 0.91),
        "top_left90": Box(0, 0.9, 0, 0.9),
        "top_right90": Box(0, 0.9, 0.1, 1),
        "bottom_left90": Box(0.1, 1, 0, 0.9),
        "bottom_right90": Box(0.1, 1, 0.1, 1),
        "top_left": Box(0, 0.5, 0, 0.5),
        "top_right": Box(0, 0.5, 0.5, 1),
        "bottom_left": Box(0.5, 1, 0, 0.5),
        "bottom_right": Box(0.5, 1, 0.5, 1),
        "left": Box(0, 1, 0, 0.5),
        "right": Box(0, 1, 0.5, 1),
        "top": Box(0, 0.5, 0, 1),
        "bottom": Box(0.5, 1, 0, 1),
    }
)


def _square(width: int, height: int) -> Box:
    side = min(width, height)
    margin_y, margin_x = (1 - side / height) / 2, (1 - side / width) / 2
    return Box(margin_y, 1 - margin_y, margin_x, 1 - margin_x)


def trimmed_box(picture: Halved) -> Box:
    """Find the picture within its bars and frames, as `content_box`, of any size."""
    return WHOLE if min(picture.bins.shape) < 2 else content_box(picture.bins)


def boxes(picture: Halved, view_set: ViewSet, trimmed: Box | None = None) -> dict[str, Box]:
    """Place the views of a set on a picture; of equal ones the first is kept.

    Parameters
    ----------
    picture : Halved
    view_set : ViewSet
    trimmed : Box, optional
        What `trimmed_box` gave, where it is known.

    Returns
    -------
    dict of Box by name of the view
    """
    if view_set not in VIEW_SETS:
        raise ValueError(f"views must be one of {', '.join(VIEW_SETS)}, not {view_set!r}")
    placed: dict[str, Box] = {}
    for name in VIEW_SETS[view_set]:
        if name == "trimmed":
            box = trimmed or trimmed_box(picture)
        elif name == "square":
            box = _square(picture.width, picture.height)
        else:
            box = _FIXED[name]
        if box not in placed.values():
            placed[name] = box
    return placed
