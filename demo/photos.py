"""The demo's photos: pictures that two packages ship under free licences, with credits."""

from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

_SCIKIT_IMAGE = ("scikit-image", "skimage/data")
_SCIKIT_LEARN = ("scikit-learn", "sklearn/datasets/images")


@dataclass(frozen=True)
class Photo:
    """A picture of a package."""

    key: str
    title: str
    file: str
    credit: str
    licence: str
    source: tuple[str, str] = _SCIKIT_IMAGE

    @property
    def package(self) -> str:
        """The package that ships it."""
        return self.source[0]

    def read(self) -> bytes:
        """Return the file's bytes."""
        package, folder = self.source
        return Path(str(distribution(package).locate_file(f"{folder}/{self.file}"))).read_bytes()


PROTECTED = (
    Photo("chelsea", "Chelsea the cat", "chelsea.png", "Stefan van der Walt", "CC0"),
    Photo("coffee", "Espresso at Pikolo", "coffee.png", "Rachel Michetti", "CC0"),
    Photo("rocket", "Falcon 9 with DSCOVR", "rocket.jpg", "SpaceX", "public domain"),
    Photo("astronaut", "Eileen Collins", "astronaut.png", "NASA", "public domain"),
    Photo("camera", "The cameraman", "camera.png", "Lav Varshney", "CC0"),
    Photo(
        "glands",
        "Colonic glands, stained",
        "ihc.png",
        "Center for Microscopy and Molecular Imaging",
        "no known copyright restrictions",
    ),
    Photo(
        "flower",
        "Dahlia",
        "flower.jpg",
        "Vultilion (Flickr 6056698931)",
        "CC BY 2.0",
        _SCIKIT_LEARN,
    ),
    Photo(
        "pagoda",
        "Summer Palace",
        "china.jpg",
        "danielbuechele (Flickr 6061409035)",
        "CC BY 2.0",
        _SCIKIT_LEARN,
    ),
)
"""Registered before the first crawl."""

LATE = Photo(
    "coins",
    "Coins from Pompeii",
    "coins.png",
    "Brooklyn Museum",
    "no known copyright restrictions",
)
"""Registered when its copy has long been crawled."""

UNRELATED = (
    Photo("brick", "Brick wall", "brick.png", "CC0 Textures", "CC0"),
    Photo("grass", "Grass", "grass.png", "linolafett", "CC0"),
    Photo("gravel", "Gravel", "gravel.png", "CC0 Textures", "CC0"),
    Photo("cell", "Cell floating in saline", "cell.png", "Paul Müller and others", "CC0"),
    Photo("clock", "A moving clock", "clock_motion.png", "Stefan van der Walt", "public domain"),
    Photo("galaxies", "Hubble deep field", "hubble_deep_field.jpg", "NASA", "public domain"),
    Photo("retina", "A retina", "retina.jpg", "Mikael Häggström", "CC0"),
    Photo("vessels", "Microaneurysms", "microaneurysms.png", "Andreas Maier", "CC0"),
    Photo("writing", "Writing", "text.png", "Wikipedia", "public domain"),
    Photo("horse", "Silhouette of a horse", "horse.png", "Andreas Preuss", "CC0"),
)
"""On the site as well; an alert for one of them is a false alarm."""

ALL = (*PROTECTED, LATE, *UNRELATED)
