"""JSON-LD and microdata (schema.org): the images that they name, and what they say of them.

What extracts them is imported where a page has some: it brings readers of many other syntaxes
along, a fifth of what the process of a crawl takes to start.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lxml.html import HtmlElement

from services.crawler.addresses import absolute
from services.crawler.statements import Statements

logger = logging.getLogger(__name__)

Thing = dict[str, Any]

_MAX_THINGS = 5_000
_MAX_SCRIPT = 1_000_000
_MAX_MICRODATA = 10_000
_IMAGE_TYPES = frozenset({"ImageObject", "Photograph", "Photo", "Barcode"})
_IMAGE_PROPERTIES = ("image", "primaryImageOfPage", "photo", "associatedMedia", "thumbnailUrl")
_IMAGE_ADDRESSES = ("contentUrl", "url")
_PEOPLE = ("uploader", "author", "creator", "contributor")
_TIMES = (("uploadDate", 1.0), ("datePublished", 0.95), ("dateCreated", 0.8))
_OWN, _OF_PARENT, _OF_PAGE = 0.95, 0.75, 0.6


@dataclass
class LinkedData:
    """What the linked data of a page says."""

    images: dict[str, Statements] = field(default_factory=dict)
    page: Statements = field(default_factory=Statements)


def read_linked_data(tree: HtmlElement, base: str) -> LinkedData:
    """Return the images that a page's linked data names, and what it says of them.

    An image's own statements are trusted most, then those of the article that names it; those of
    the page's only article hold, less surely, for the other images too.
    """
    found = LinkedData()
    for syntax, roots in (("json-ld", _json_ld(tree)), ("microdata", _microdata(tree, base))):
        _Reader(syntax, roots, base, found).read()
    return found


def _json_ld(tree: HtmlElement) -> list[Any]:
    roots: list[Any] = []
    for script in tree.iter("script"):
        if script.get("type") != "application/ld+json" or len(script.text or "") > _MAX_SCRIPT:
            continue
        from extruct.jsonld import JsonLdExtractor

        try:  # each script by itself: a broken one must not hide the others
            roots += JsonLdExtractor().extract_items(script)
        except (ValueError, RecursionError) as error:
            logger.debug("JSON-LD that cannot be read: %s", error)
    return roots


def _microdata(tree: HtmlElement, base: str) -> list[Any]:
    # The extractor looks at each property once for every item around it; a page made to be slow
    # nests them without end.
    steps = 0
    for element in tree.xpath("//*[@itemprop or @itemref]"):
        steps += sum(1 for outer in element.iterancestors() if "itemscope" in outer.attrib)
        steps += 100 * len(element.get("itemref", "").split())
        if steps > _MAX_MICRODATA:
            logger.info("%s: too much microdata, left unread", base)
            return []
    if not tree.xpath("boolean(//@itemscope)"):
        return []
    from extruct.w3cmicrodata import MicrodataExtractor

    try:
        items: list[Any] = MicrodataExtractor().extract_items(tree, base_url=base)
    except (ValueError, RecursionError) as error:
        logger.debug("microdata that cannot be read: %s", error)
        return []
    return [_as_thing(item) for item in items]


def _as_thing(item: Any) -> Any:
    """Return a microdata item in the shape of JSON-LD."""
    if isinstance(item, list):
        return [_as_thing(entry) for entry in item]
    if not isinstance(item, dict):
        return item
    properties = {name: _as_thing(value) for name, value in item.get("properties", {}).items()}
    return {**properties, "@type": item.get("type", ""), "@id": item.get("id")}


class _Reader:
    def __init__(self, syntax: str, roots: list[Any], base: str, found: LinkedData) -> None:
        self._syntax = syntax
        self._base = base
        self._found = found
        self._things = list(_all_things(roots))
        self._by_id = {
            thing["@id"]: thing
            for thing in self._things
            if isinstance(thing.get("@id"), str) and len(thing) > 1
        }

    def read(self) -> None:
        articles = []
        for thing in self._things:
            if self._is_image(thing):
                self._read_image(thing)
                continue
            stated = self._stated(thing, _OF_PARENT)
            for name in _IMAGE_PROPERTIES:
                for value in _listed(thing.get(name)):
                    self._read_value(value, stated)
            if stated.uploader or stated.uploaded_at:
                articles.append(thing)
        if len(articles) == 1:
            self._found.page.add(self._stated(articles[0], _OF_PAGE))

    def _read_image(self, thing: Thing) -> None:
        for address in self._addresses(thing):
            self._note(address, self._stated(thing, _OWN))

    def _read_value(self, value: Any, stated: Statements) -> None:
        """Note an image that another thing names: by address, by reference, or in place."""
        value = self._resolved(value)
        addresses = self._addresses(value) if isinstance(value, dict) else [value]
        for address in addresses:
            self._note(address, stated)

    def _addresses(self, thing: Thing) -> list[Any]:
        for name in _IMAGE_ADDRESSES:
            if found := list(_listed(thing.get(name))):
                return found
        return []

    def _note(self, raw: Any, stated: Statements) -> None:
        if address := absolute(raw, self._base):
            self._found.images.setdefault(address, Statements()).add(stated)

    def _stated(self, thing: Thing, confidence: float) -> Statements:
        found = Statements()
        kind = next(iter(_types(thing)), "Thing")
        for name in _PEOPLE:
            for value in list(_listed(thing.get(name)))[:1]:
                found.add_person(self._name(value), f"{self._syntax}:{kind}.{name}", confidence)
        for name, certainty in _TIMES:
            for value in _listed(thing.get(name)):
                if isinstance(value, str):
                    source = f"{self._syntax}:{kind}.{name}"
                    found.add_time(value, source, confidence * certainty)
        return found

    def _name(self, value: Any) -> str:
        value = self._resolved(value)
        if isinstance(value, dict):
            names = (value.get(key) for key in ("name", "alternateName", "url"))
            value = next((name for entry in names for name in _listed(entry)), "")
        return value if isinstance(value, str) else ""

    def _resolved(self, value: Any) -> Any:
        reference = value.get("@id") if isinstance(value, dict) else None
        if isinstance(reference, str) and set(value) <= {"@id", "@type"}:
            return self._by_id.get(reference, value)
        return value

    def _is_image(self, thing: Thing) -> bool:
        return not _IMAGE_TYPES.isdisjoint(_types(thing))


def _all_things(roots: list[Any]) -> Iterator[Thing]:
    """Yield every object, however deep; in the order of the page, and not without end."""
    waiting = list(reversed(roots))
    for _ in range(_MAX_THINGS):
        if not waiting:
            return
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting += reversed([v for v in value.values() if isinstance(v, dict | list)])
        elif isinstance(value, list):
            waiting += reversed([v for v in value if isinstance(v, dict | list)])


def _types(thing: Thing) -> list[str]:
    types = [kind for kind in _listed(thing.get("@type")) if isinstance(kind, str) and kind]
    return [kind.rstrip("/").rsplit("/", 1)[-1].rsplit("#", 1)[-1][:50] for kind in types]


def _listed(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        yield from value
    elif value is not None:
        yield value
