"""A page's bytes, read: its title, its links, and its images with what it states of each.

Pure functions of values. Whatever a hostile page holds, reading it ends soon and raises nothing.
"""

import re
from collections.abc import Iterator
from itertools import islice

import lxml.etree
import lxml.html
from lxml.html import HtmlElement
from w3lib.encoding import html_to_unicode

from services.crawler.addresses import (
    absolute,
    candidates,
)
from services.crawler.endings import is_image_file, may_be_page, may_be_photo
from services.crawler.linked_data import read_linked_data
from services.crawler.statements import (
    Statements,
    Surroundings,
    in_head,
    most_trusted,
    of_page,
    tidy,
)
from srpitp_contracts.crawling import Statement
from srpitp_contracts.model import Model

MAX_PAGE_BYTES = 10 * 2**20
_MAX_LINKS = 2_000
_MAX_IMAGES = 1_000
_MAX_LOOKED_AT = 5 * _MAX_IMAGES
_STYLE_ADDRESS = re.compile(r"url\(\s*['\"]?([^'\"()]{1,2083})")
# Where scripts that load images late keep the address, largest first.
_LAZY_SETS = ("data-srcset", "data-lazy-srcset", "srcset")
_LAZY_SOURCES = (
    "data-original",
    "data-full",
    "data-large",
    "data-hi-res-src",
    "data-zoom-image",
    "data-lazy-src",
    "data-lazy",
    "data-src",
    "src",
)
_META_IMAGES = frozenset(
    {"og:image", "og:image:url", "og:image:secure_url", "twitter:image", "twitter:image:src"}
)
_UNREADABLE_TYPES = ("image/svg", "image/jxl")


class PageImage(Model):
    """An image that a page shows, and what the page states of it."""

    address: str
    uploader: Statement | None = None
    uploaded_at: Statement | None = None


class Page(Model):
    """What was read from a page."""

    title: str | None = None
    links: tuple[str, ...] = ()
    images: tuple[PageImage, ...] = ()


def read_page(body: bytes, address: str, content_type: str | None = None) -> Page:
    """Read a page.

    Parameters
    ----------
    body
        HTML; of more than `MAX_PAGE_BYTES` the beginning is read.
    address
        Where it was found.
    content_type
        The header, for its charset.
    """
    _, text = html_to_unicode(content_type, body[:MAX_PAGE_BYTES])
    parser = lxml.html.HTMLParser(encoding="utf-8", huge_tree=False)
    try:
        clean = text.replace("\0", "").encode("utf-8", "replace")
        tree = lxml.html.document_fromstring(clean, parser=parser)
    except (lxml.etree.LxmlError, ValueError):  # nothing in it that could be a page
        return Page()
    bases = (absolute(found.get("href"), address) for found in tree.iter("base"))
    return _Reader(tree, next((base for base in bases if base), address)).read()


class _Reader:
    def __init__(self, tree: HtmlElement, base: str) -> None:
        self._tree = tree
        self._base = base
        self._metas = [
            ((meta.get("property") or meta.get("name") or "").strip().lower(), meta.get("content"))
            for meta in tree.iter("meta")
            if meta.get("content")
        ]
        self._images: dict[str, Statements] = {}

    def read(self) -> Page:
        """Read everything; what stands nearest to the picture is noted first."""
        linked = read_linked_data(self._tree, self._base)
        pictures = list(islice(self._pictures(), _MAX_LOOKED_AT))
        surroundings = Surroundings(element for element, _ in pictures)
        for element, raw in pictures:
            self._note(raw, surroundings.of(element))
        for raw in islice(self._elsewhere(), _MAX_LOOKED_AT):
            self._note(raw, Statements())
        for address, stated in linked.images.items():
            self._note(address, stated)
        of_all = Statements()
        for stated in (linked.page, in_head(self._metas), of_page(self._tree, surroundings)):
            of_all.add(stated)
        return Page(
            title=self._title(),
            links=tuple(self._links()),
            images=tuple(
                PageImage(
                    address=address,
                    uploader=most_trusted([*stated.uploader, *of_all.uploader]),
                    uploaded_at=most_trusted([*stated.uploaded_at, *of_all.uploaded_at]),
                )
                for address, stated in self._images.items()
            ),
        )

    def _note(self, raw: str, stated: Statements) -> None:
        address = absolute(raw, self._base)
        if address is None or not may_be_photo(address):
            return
        if address in self._images or len(self._images) < _MAX_IMAGES:
            self._images.setdefault(address, Statements()).add(stated)

    def _title(self) -> str | None:
        title = next((tidy(found.text_content()) for found in self._tree.iter("title")), "")
        named = (content for name, content in self._metas if name == "og:title")
        return title or tidy(next(named, "")) or None

    def _links(self) -> list[str]:
        links: dict[str, None] = {}
        for element in self._tree.iter("a", "area", "iframe", "frame"):
            link = absolute(element.get("href") or element.get("src"), self._base)
            if link and may_be_page(link):
                links[link] = None
            if len(links) == _MAX_LINKS:
                break
        return list(links)

    def _pictures(self) -> Iterator[tuple[HtmlElement, str]]:
        """Yield the images that stand in the page's text, each with its element."""
        for element in self._tree.iter("img", "input", "video", "a"):
            if element.tag == "img":
                raw = _best_of(element)
            elif element.tag == "video":
                raw = element.get("poster")
            elif element.tag == "input":
                raw = element.get("src") if element.get("type", "").lower() == "image" else None
            else:
                raw = self._linked_file(element)
            if raw:
                yield element, raw

    def _linked_file(self, link: HtmlElement) -> str | None:
        address = absolute(link.get("href"), self._base)
        return address if address and is_image_file(address) else None

    def _elsewhere(self) -> Iterator[str]:
        """Yield the images that the head names, and those that styles show."""
        yield from (content for name, content in self._metas if name in _META_IMAGES)
        for link in self._tree.iter("link"):
            if "image_src" in link.get("rel", "").lower().split():
                yield link.get("href", "")
        for styled in self._tree.xpath("//*[@style]"):
            yield from _STYLE_ADDRESS.findall(styled.get("style"))
        for style in self._tree.iter("style"):
            yield from _STYLE_ADDRESS.findall(style.text or "")


def _best_of(image: HtmlElement) -> str | None:
    """Return the address of an image's largest rendition.

    All of them show one picture, so one is enough, and the largest is the nearest to the original
    and bears the most texture. Renditions of equal size are taken from the ``img`` itself, which
    is the plain format, before the ``source`` elements of its ``picture``.
    """
    elements = [image]
    # Not merely the parent: this parser puts an image into the ``source`` that stands before it.
    picture = next(image.iterancestors("picture"), None)
    if picture is not None:
        elements += [
            source
            for source in picture.iter("source")
            if not source.get("type", "").lower().startswith(_UNREADABLE_TYPES)
        ]
    found = [
        candidate
        for element in elements
        for name in _LAZY_SETS
        for candidate in candidates(element.get(name, ""))
        if not candidate[0].startswith("data:")
    ]
    if found:
        return max(found, key=lambda candidate: candidate[1])[0]
    named = (image.get(name) or "" for name in _LAZY_SOURCES)
    return next((raw for raw in named if raw and not raw.lstrip().startswith("data:")), None)
