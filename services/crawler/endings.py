"""What an address ends with: an image, a drawing, or something else that is no page.

Apart from `addresses`, since only the process of a crawl asks: the list is Scrapy's, and the
service starts sooner without Scrapy.
"""

import posixpath
from urllib.parse import urlsplit

from scrapy.linkextractors import IGNORED_EXTENSIONS

_IMAGE_ENDINGS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"}
)
# What no fingerprint can be taken of; asking for it would only cost the site a request.
_DRAWINGS = frozenset({".svg", ".svgz", ".ico"})
_NO_PAGES = frozenset(f".{ending}" for ending in IGNORED_EXTENSIONS) | _DRAWINGS


def is_image_file(address: str) -> bool:
    """Return whether an address ends like that of an image file."""
    return _ending(address) in _IMAGE_ENDINGS


def may_be_photo(address: str) -> bool:
    """Return whether an image may be a photo: drawings and icons are not."""
    return _ending(address) not in _DRAWINGS


def may_be_page(address: str) -> bool:
    """Return whether an address may be that of a page: files of other kinds are not."""
    return _ending(address) not in _NO_PAGES


def _ending(address: str) -> str:
    return posixpath.splitext(urlsplit(address).path)[1].lower()
