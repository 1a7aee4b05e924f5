"""Alterations that people make to photos, drawn at random: what the library was not tuned to.

Each takes BGR pixels, other photos to mix in, and a generator; all are deterministic by its seed.
"""

import zlib
from collections.abc import Callable

import cv2
import numpy as np
from montages import (
    collage,
    feed,
    one_large,
    picture_in_picture,
    resized,
    side_by_side,
    stacked,
)
from numpy.typing import NDArray
from photos import decoded

__all__ = ["ALTERATIONS", "alter"]

Pixels = NDArray[np.uint8]
Others = list[Pixels]
Random = np.random.Generator
Colour = tuple[int, int, int]
Widths = tuple[int, int, int, int]
_FONT = cv2.FONT_HERSHEY_DUPLEX


def _jpeg(image: Pixels, quality: int) -> Pixels:
    return decoded(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes())


def _colour(random: Random) -> Colour:
    blue, green, red = (int(c) for c in random.integers(0, 256, 3))
    return blue, green, red


def _window(image: Pixels, rows: float, columns: float, random: Random) -> Pixels:
    height, width = image.shape[:2]
    h, w = round(height * rows), round(width * columns)
    y, x = random.integers(0, height - h + 1), random.integers(0, width - w + 1)
    return image[y : y + h, x : x + w].copy()


def _mirrored(image: Pixels) -> Pixels:
    return np.asarray(cv2.flip(image, 1), np.uint8)


def crop(removed: float) -> Callable[[Pixels, Others, Random], Pixels]:
    """Remove this share of width and height, anywhere."""
    return lambda image, _, random: _window(image, 1 - removed, 1 - removed, random)


def crop_area(image: Pixels, _: Others, random: Random) -> Pixels:
    """Keep 40 to 70 % of the area, at another aspect."""
    area, aspect = random.uniform(0.4, 0.7), np.exp(random.uniform(-0.3, 0.3))
    return _window(image, min(1, np.sqrt(area) * aspect), min(1, np.sqrt(area) / aspect), random)


def to_aspect(aspect: float) -> Callable[[Pixels, Others, Random], Pixels]:
    """Crop to width / height = `aspect`, not quite at the centre."""

    def cut(image: Pixels, _: Others, random: Random) -> Pixels:
        height, width = image.shape[:2]
        rows, columns = min(1.0, width / aspect / height), min(1.0, height * aspect / width)
        return _window(image, rows, columns, random)

    return cut


def flipped_crop(image: Pixels, _: Others, random: Random) -> Pixels:
    """Crop 15 %, then mirror."""
    return _mirrored(_window(image, 0.85, 0.85, random))


def turned_crop(image: Pixels, _: Others, random: Random) -> Pixels:
    """Turn by 6 to 14 degrees and cut the corners off."""
    height, width = image.shape[:2]
    degrees = random.uniform(6, 14) * random.choice([-1, 1])
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.25)
    turned = cv2.warpAffine(image, turn, (width, height), flags=cv2.INTER_LINEAR)
    return np.asarray(turned, np.uint8)


def perspective(image: Pixels, _: Others, random: Random) -> Pixels:
    """Photograph it from the side."""
    height, width = image.shape[:2]
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    moved = corners + random.uniform(-0.08, 0.08, (4, 2)).astype(np.float32)
    size = np.array([width, height], np.float32)
    matrix = cv2.getPerspectiveTransform(corners * size, moved * size)
    seen = cv2.warpPerspective(image, matrix, (width, height), borderValue=(40, 45, 50))
    return np.asarray(seen, np.uint8)


def _bordered(image: Pixels, widths: Widths, colour: Colour) -> Pixels:
    """Widths are those above, below, left, and right."""
    wider = cv2.copyMakeBorder(image, *widths, cv2.BORDER_CONSTANT, value=colour)
    return np.asarray(wider, np.uint8)


def frame(image: Pixels, _: Others, random: Random) -> Pixels:
    """Two frames of different colour and width."""
    inner, outer = (
        max(2, round(min(image.shape[:2]) * random.uniform(a, b)))
        for a, b in ((0.02, 0.04), (0.05, 0.12))
    )
    for width in (inner, outer):
        image = _bordered(image, (width, width, width, width), _colour(random))
    return image


def polaroid(image: Pixels, _: Others, random: Random) -> Pixels:
    """White border, broad below, with a handwritten line."""
    height, width = image.shape[:2]
    edge = round(0.06 * width)
    image = _bordered(image, (edge, round(0.22 * height), edge, edge), (240, 245, 248))
    place = (2 * edge, round(1.17 * height))
    cv2.putText(
        image, "summer '24", place, cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, width / 300, (80, 60, 50), 2
    )
    return image


def caption(image: Pixels, _: Others, random: Random) -> Pixels:
    """A bar of two lines of text above or below."""
    height, width = image.shape[:2]
    dark = bool(random.integers(2))
    paper, ink = ((20, 20, 20), (235, 235, 235)) if dark else ((250, 250, 250), (20, 20, 20))
    bar = np.full((round(0.25 * height), width, 3), paper, np.uint8)
    for line, text in enumerate(("you will not believe", "what happened next #wow")):
        place = (round(0.04 * width), round((0.42 + 0.42 * line) * len(bar)))
        cv2.putText(bar, text, place, _FONT, width / 480, ink, max(1, width // 300), cv2.LINE_AA)
    return np.vstack([bar, image] if random.integers(2) else [image, bar])


def banner(image: Pixels, _: Others, random: Random) -> Pixels:
    """A half transparent banner with text across the picture."""
    height, width = image.shape[:2]
    y = round(height * random.uniform(0.1, 0.7))
    over = image.copy()
    over[y : y + round(0.18 * height)] = _colour(random)
    image = np.asarray(cv2.addWeighted(over, 0.8, image, 0.2, 0), np.uint8)
    place = (round(0.1 * width), y + round(0.13 * height))
    cv2.putText(image, "BREAKING NEWS", place, _FONT, width / 360, (255, 255, 255), 2, cv2.LINE_AA)
    return image


def blurred_padding(aspect: float) -> Callable[[Pixels, Others, Random], Pixels]:
    """Put it on a blurred, enlarged copy of itself."""

    def pad(image: Pixels, _: Others, random: Random) -> Pixels:
        height, width = image.shape[:2]
        wide, high = max(width, round(height * aspect)), max(height, round(width / aspect))
        scale = max(wide / width, high / height)
        back = cv2.resize(image, (round(width * scale) + 1, round(height * scale) + 1))
        y, x = (back.shape[0] - high) // 2, (back.shape[1] - wide) // 2
        part = back[y : y + high, x : x + wide]
        canvas = np.asarray(cv2.GaussianBlur(part, (0, 0), max(4, wide / 30)), np.uint8)
        y, x = (high - height) // 2, (wide - width) // 2
        canvas[y : y + height, x : x + width] = image
        return canvas

    return pad


def stickers(image: Pixels, _: Others, random: Random) -> Pixels:
    """Three to six round faces, anywhere."""
    height, width = image.shape[:2]
    image = image.copy()
    for _number in range(random.integers(3, 7)):
        radius = round(min(height, width) * random.uniform(0.06, 0.13))
        x, y = int(random.integers(0, width)), int(random.integers(0, height))
        cv2.circle(image, (x, y), radius, (40, 200, 250), -1, cv2.LINE_AA)
        for side in (-1, 1):
            cv2.circle(
                image, (x + side * radius // 3, y - radius // 4), radius // 7, (30, 30, 30), -1
            )
        cv2.ellipse(image, (x, y), (radius // 2, radius // 2), 0, 20, 160, (30, 30, 30), 2)
    return image


def tiled_mark(image: Pixels, _: Others, random: Random) -> Pixels:
    """A watermark again and again, aslant."""
    height, width = image.shape[:2]
    over = np.zeros((2 * height, 2 * width), np.uint8)
    for y in range(0, 2 * height, max(20, height // 5)):
        cv2.putText(over, "(c) stockphoto   " * 8, (0, y), _FONT, width / 700, 255, 1, cv2.LINE_AA)
    turn = cv2.getRotationMatrix2D((width, height), 30, 1)
    over = cv2.warpAffine(over, turn, (2 * width, 2 * height))[height // 2 :, width // 2 :]
    share = (over[:height, :width, None] / 255 * 0.55).astype(np.float32)
    return (image * (1 - share) + 255 * share).astype(np.uint8)


def curve(image: Pixels, _: Others, random: Random) -> Pixels:
    """A strong tone curve."""
    level = np.linspace(0, 1, 256)
    kind = random.integers(4)
    tone = [level**0.45, level**2.2, 1 / (1 + np.exp(-12 * (level - 0.5))), 0.25 + 0.5 * level][
        kind
    ]
    return np.asarray(cv2.LUT(image, np.clip(255 * tone, 0, 255).astype(np.uint8)), np.uint8)


def local_contrast(image: Pixels, _: Others, random: Random) -> Pixels:
    """Adaptive histogram equalisation: the HDR look."""
    lab = cv2.cvtColor(image, cv2.COLOR_BGR2LAB)
    lab[..., 0] = cv2.createCLAHE(random.uniform(2, 5), (8, 8)).apply(lab[..., 0])
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2BGR), np.uint8)


def posterise(image: Pixels, _: Others, random: Random) -> Pixels:
    """Few tones, as of a cheap print."""
    return ((image // 64) * 64 + 32).astype(np.uint8)


def light_leak(image: Pixels, _: Others, random: Random) -> Pixels:
    """Light from one side, shade at the other, warm."""
    height, width = image.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    turn = random.uniform(0, 2 * np.pi)
    ramp = (60 * (np.cos(turn) * x + np.sin(turn) * y))[..., None]
    lit = np.clip(image + ramp * np.array([0.7, 1, 1.2]), 0, 255)
    return np.asarray(lit, np.uint8)


def thumbnail(image: Pixels, _: Others, random: Random) -> Pixels:
    """100 pixels, recompressed."""
    scale = 100 / max(image.shape[:2])
    return _jpeg(resized(image, round(image.shape[1] * scale), round(len(image) * scale)), 60)


def generations(image: Pixels, _: Others, random: Random) -> Pixels:
    """Saved again and again at other sizes."""
    for _number in range(5):
        scale = random.uniform(0.7, 1.1)
        image = _jpeg(resized(image, round(image.shape[1] * scale), round(len(image) * scale)), 45)
    return image


def repost(image: Pixels, others: Others, random: Random) -> Pixels:
    """Cropped, mirrored at times, captioned, recompressed."""
    image = _window(image, 0.88, 0.88, random)
    image = _mirrored(image) if random.integers(2) else image
    return _jpeg(caption(image, others, random), 55)


ALTERATIONS: dict[str, Callable[[Pixels, Others, Random], Pixels]] = {
    "crop_15": crop(0.15), "crop_25": crop(0.25), "crop_40": crop(0.4), "crop_area": crop_area,
    "wide_16_9": to_aspect(16 / 9), "wide_21_9": to_aspect(21 / 9), "tall_4_5": to_aspect(4 / 5),
    "tall_9_16": to_aspect(9 / 16), "flipped_crop": flipped_crop, "turned_crop": turned_crop,
    "perspective": perspective, "frame": frame, "polaroid": polaroid, "caption": caption,
    "banner": banner, "blurred_square": blurred_padding(1), "blurred_9_16": blurred_padding(9 / 16),
    "blurred_16_9": blurred_padding(16 / 9), "stickers": stickers, "tiled_mark": tiled_mark,
    "side_by_side": side_by_side, "stacked": stacked, "collage": collage, "one_large": one_large,
    "picture_in_picture": picture_in_picture, "feed": feed, "curve": curve,
    "local_contrast": local_contrast, "posterise": posterise, "light_leak": light_leak,
    "thumbnail": thumbnail, "generations": generations, "repost": repost,
}  # fmt: skip


def alter(image: Pixels, name: str, others: Others, seed: int) -> Pixels:
    """Alter a photo.

    Parameters
    ----------
    image : uint8 ndarray, shape (height, width, 3)
    name : str
        One of `ALTERATIONS`.
    others : list of ndarray
        Three other photos to mix in.
    seed : int
    """
    random = np.random.default_rng([seed, zlib.crc32(name.encode())])
    return _jpeg(ALTERATIONS[name](image, others, random), 88)
