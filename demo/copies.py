"""What thieves do to photos: the altered copies that the demo's website shows."""

import io
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

Alter = Callable[[Image.Image], Image.Image]


@dataclass(frozen=True)
class Copy:
    """A copy of a protected photo, as it lies on a web server."""

    name: str
    original: str
    kind: str
    format: str | None = "JPEG"
    """None for the very same bytes."""
    quality: int = 85
    alter: Alter = lambda image: image

    def make(self, original: bytes) -> bytes:
        """Return the copy's bytes."""
        if self.format is None:
            return original
        with Image.open(io.BytesIO(original)) as image:
            altered = self.alter(image.convert("RGB"))
        buffer = io.BytesIO()
        altered.save(buffer, self.format, quality=self.quality)
        return buffer.getvalue()


def scaled(factor: float) -> Alter:
    """Return what changes the size."""
    return lambda image: ImageOps.scale(image, factor, Image.Resampling.LANCZOS)


def cropped(share: float) -> Alter:
    """Return what cuts off a share of the width and of the height, half on each side."""

    def crop(image: Image.Image) -> Image.Image:
        across, down = round(image.width * share / 2), round(image.height * share / 2)
        return image.crop((across, down, image.width - across, image.height - down))

    return crop


def brightened(image: Image.Image) -> Image.Image:
    """Make it a fifth brighter."""
    return ImageEnhance.Brightness(image).enhance(1.2)


def contrasted(image: Image.Image) -> Image.Image:
    """Give it more contrast and colour, as photo apps do."""
    return ImageEnhance.Color(ImageEnhance.Contrast(image).enhance(1.2)).enhance(1.3)


def black_and_white(image: Image.Image) -> Image.Image:
    """Take the colours away."""
    return image.convert("L")


def turned(image: Image.Image) -> Image.Image:
    """Turn it by one degree, as a crooked scan does."""
    return image.rotate(1, Image.Resampling.BICUBIC)


def framed(image: Image.Image) -> Image.Image:
    """Put a white frame around it, a twenty-fifth of its width."""
    return ImageOps.expand(image, image.width // 25, "white")


def watermarked(image: Image.Image) -> Image.Image:
    """Write another's name across it."""
    ink = Image.new("RGBA", image.size)
    font = ImageFont.load_default(image.width / 10)
    centre = (image.width / 2, image.height * 0.8)
    ImageDraw.Draw(ink).text(centre, "© stock4free", "#ffffffb0", font, anchor="mm")
    return Image.alpha_composite(image.convert("RGBA"), ink).convert("RGB")


COPIES = (
    Copy("temple.jpg", "pagoda", "watermarked", alter=watermarked),
    Copy("dahlia-bw.jpg", "flower", "black and white", alter=black_and_white),
    Copy("slide-framed.jpg", "glands", "white frame", alter=framed),
    Copy("espresso-bright.jpg", "coffee", "brighter", alter=brightened),
    Copy("portrait.jpg", "astronaut", "cropped by 3 %", alter=cropped(0.03)),
    Copy("pagoda-wide.jpg", "pagoda", "cropped by 12 %", alter=cropped(0.12)),
    Copy("scan-0017.jpg", "camera", "turned by 1 degree", alter=turned),
    Copy("launch-small.jpg", "rocket", "half the size", alter=scaled(0.5)),
    Copy("poster-astronaut.jpg", "astronaut", "double the size", alter=scaled(2)),
    Copy("cat-on-sofa.jpg", "chelsea", "JPEG, quality 90", quality=90),
    Copy("morning-coffee.jpg", "coffee", "JPEG, quality 50", quality=50),
    Copy("film-crew.jpg", "camera", "JPEG, quality 30", quality=30),
    Copy("dahlia.png", "flower", "converted to PNG", "PNG"),
    Copy("tissue.webp", "glands", "converted to WebP", "WEBP", 80),
    Copy("cup.png", "coffee", "same bytes", None),
    Copy("falcon9.jpg", "rocket", "same bytes", None),
)
"""On the site from the beginning."""

NEW = Copy("kitty-filter.jpg", "chelsea", "more contrast and colour", alter=contrasted)
"""Comes to the site between the first crawl and the second."""

LATE = Copy("old-money.jpg", "coins", "JPEG, quality 60", quality=60)
"""On the site from the beginning; its original is registered after the crawls."""

TRAP = Copy("members-only.jpg", "astronaut", "JPEG, quality 80", quality=80)
"""Lies where robots.txt forbids to look: it must not be fetched."""
