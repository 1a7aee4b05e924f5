"""Who published an image and when, as the page states it: each statement with its source.

Step 7 of the paper keeps uploader and upload time. A page may say both in many places, and those
may disagree; so each statement carries where it was found and how far that place is to be
trusted, and the most trusted one is kept.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from itertools import islice

from lxml.html import HtmlElement

from srpitp_contracts.crawling import Statement

_MAX_TEXT = 200
_MAX_BYLINE = 120
_MAX_BESIDE = 100  # bylines or times: of more, none is that of one image
_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)  # before the web: a zero that someone formatted
_GAP_BEFORE_ZONE = re.compile(r"\s+(?=[+-]\d\d:?\d\d$)")
_BYLINE_WORDS = frozenset(
    {"author", "byline", "credit", "credits", "uploader", "photographer", "username", "creator"}
)
_CREDIT = re.compile(
    r"^\W*(?:(?:photo(?:graph(?:ed|y)?)?|image|picture|credits?|courtesy|posted|uploaded|published"
    r"|written|foto)\b[\s:]*)*(?:(?:by|of|from|via)\b[\s:]*|©\s*|\(c\)\s*)?",
    re.IGNORECASE,
)
_CREDIT_IN_CAPTION = re.compile(
    r"(?:\b(?:photo(?:graph)?|image|picture|foto)(?:\s+credit)?\s*(?::|\bby\b)"
    r"|\b(?:credit|courtesy of)\b\s*:?|©|\(c\))\s*(?:by\s+)?([^|;()\n]{2,100})",
    re.IGNORECASE,
)
_META_PEOPLE = {
    "article:author": 0.65,
    "author": 0.6,
    "dcterms.creator": 0.6,
    "dc.creator": 0.6,
    "twitter:creator": 0.45,
}
_META_TIMES = {
    "article:published_time": 0.7,
    "dcterms.created": 0.6,
    "dcterms.issued": 0.6,
    "dc.date": 0.55,
    "dc.date.issued": 0.55,
    "date": 0.5,
    "pubdate": 0.5,
}


@dataclass
class Statements:
    """What was said of one image, or of a page."""

    uploader: list[Statement] = field(default_factory=list)
    uploaded_at: list[Statement] = field(default_factory=list)

    def add_person(self, name: str, source: str, confidence: float) -> None:
        """Add who, unless nobody is named."""
        if name := tidy(name):
            self.uploader.append(Statement(value=name, source=source, confidence=confidence))

    def add_time(self, text: str, source: str, confidence: float) -> None:
        """Add when, unless the text is no time; a time without a zone is trusted less."""
        if statement := time_statement(text, source, confidence):
            self.uploaded_at.append(statement)

    def add(self, other: "Statements") -> None:
        """Add what was said elsewhere."""
        self.uploader += other.uploader
        self.uploaded_at += other.uploaded_at


def most_trusted(statements: Iterable[Statement]) -> Statement | None:
    """Return the statement with the highest confidence; of equal ones the first."""
    return max(statements, key=lambda statement: statement.confidence, default=None)


def tidy(text: str) -> str:
    """Return text on one line, not too long, and such that it can be stored.

    JSON can hold halves of surrogate pairs, which UTF-8 cannot.
    """
    return " ".join(text.encode("utf-8", "ignore").decode().replace("\0", "").split())[:_MAX_TEXT]


def time_statement(text: str, source: str, confidence: float) -> Statement | None:
    """Return the statement of a time as RFC 3339 in UTC, or None when the text is no time.

    Without a zone UTC is assumed and the confidence falls by a fifth; without a time of day by
    three tenths.
    """
    text = _GAP_BEFORE_ZONE.sub("", text.strip()[:64])
    try:
        moment = _parsed(text)
        if moment.tzinfo is None:
            confidence *= 0.8 if ":" in text else 0.7
            moment = moment.replace(tzinfo=UTC)
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    if moment < _EARLIEST:
        return None
    value = moment.isoformat(timespec="seconds").replace("+00:00", "Z")
    return Statement(value=value, source=source, confidence=round(confidence, 3))


def _parsed(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return parsedate_to_datetime(text)  # RFC 5322, as HTTP headers and feeds write it


def in_head(metas: Iterable[tuple[str, str]]) -> Statements:
    """Return what the ``meta`` elements of a page state, given as names and contents."""
    found = Statements()
    for name, content in metas:
        if name in _META_PEOPLE:
            found.add_person(content, f"meta:{name}", _META_PEOPLE[name])
        elif name in _META_TIMES:
            found.add_time(content, f"meta:{name}", _META_TIMES[name])
    return found


def of_page(tree: HtmlElement, surroundings: "Surroundings") -> Statements:
    """Return what a page's text states of its only author and its only time.

    A page that names several, such as a gallery, says nothing of an image that stands apart; and
    what stands beside one image is said of that image.
    """
    found = Statements()
    people = {
        _byline(element): source
        for element, source in islice(_bylines(tree), _MAX_BESIDE)
        if not surroundings.hold(element)
    }
    people.pop("", None)
    if len(people) == 1:
        [(name, source)] = people.items()
        found.add_person(name, f"page:{source}", 0.55 if source == "rel=author" else 0.4)
    times = {
        element.get("datetime", "")
        for element in islice(tree.iter("time"), _MAX_BESIDE)
        if not surroundings.hold(element)
    } - {""}
    if len(times) == 1:
        found.add_time(times.pop(), "page:time", 0.4)
    return found


class Surroundings:
    """Knows what stands beside each image of a page."""

    def __init__(self, pictures: Iterable[HtmlElement]) -> None:
        # How many images each element holds: an image's card is the largest that holds it alone.
        self._held: Counter[HtmlElement] = Counter()
        self._read: dict[HtmlElement, Statements] = {}
        for picture in pictures:
            self._held.update(picture.iterancestors())

    def of(self, picture: HtmlElement) -> Statements:
        """Return what the image's figure, or else its card, states."""
        figure = next(picture.iterancestors("figure"), None)
        if figure is not None:
            return self._once(figure, "figure", 0.8)
        card = None
        for element in picture.iterancestors():
            if self._held[element] > 1 or element.tag in {"body", "main", "html"}:
                break
            card = element
        return Statements() if card is None else self._once(card, "card", 0.65)

    def hold(self, element: HtmlElement) -> bool:
        """Return whether an element stands beside an image that was asked for."""
        return any(outer in self._read for outer in element.iterancestors())

    def _once(self, element: HtmlElement, kind: str, confidence: float) -> Statements:
        if element not in self._read:
            self._read[element] = _stated_in(element, kind, confidence)
        return self._read[element]


def _stated_in(element: HtmlElement, kind: str, confidence: float) -> Statements:
    found = Statements()
    for byline, source in islice(_bylines(element), _MAX_BESIDE):
        found.add_person(_byline(byline), f"{kind}:{source}", confidence)
    for caption in islice(element.iter("figcaption"), _MAX_BESIDE):
        if match := _CREDIT_IN_CAPTION.search(_without_times(caption)[:1000]):
            found.add_person(match[1].strip(" .,-"), f"{kind}:figcaption", confidence - 0.15)
    for time in islice(element.iter("time"), _MAX_BESIDE):
        found.add_time(time.get("datetime", ""), f"{kind}:time", confidence)
    return found


def _bylines(element: HtmlElement) -> Iterator[tuple[HtmlElement, str]]:
    for candidate in element.iter("a", "span", "p", "div", "address", "cite", "strong", "b", "em"):
        if "author" in candidate.get("rel", "").split():
            yield candidate, "rel=author"
        elif _names_people(candidate.get("class", "")):
            yield candidate, "byline"


def _without_times(element: HtmlElement) -> str:
    texts = element.xpath(".//text()[not(ancestor::time)]")
    return " ".join(" ".join(map(str, texts)).split()) if isinstance(texts, list) else ""


@cache
def _names_people(classes: str) -> bool:
    return not _BYLINE_WORDS.isdisjoint(re.split(r"[\s_-]+", classes.lower()))


def _byline(element: HtmlElement) -> str:
    texts: list[str] = []
    for text in element.itertext():
        texts += text.split()
        if len(texts) > _MAX_BYLINE:  # not read to its end: it may be the whole page
            return ""
    byline = " ".join(texts)
    return _CREDIT.sub("", byline) if len(byline) <= _MAX_BYLINE else ""
