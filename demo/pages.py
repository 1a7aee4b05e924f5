"""The demo's website: who shows which picture, and how each page states its uploader and time."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined

from demo import copies
from demo.copies import Copy
from demo.judge import Stated
from demo.photos import UNRELATED
from demo.site import AccessLog, Resource, WebServer, days_ago


class Style(StrEnum):
    """How a page says who published its pictures, and when."""

    JSON_LD = "JSON-LD"
    MICRODATA = "microdata"
    OPEN_GRAPH = "Open Graph"
    CAPTION = "figcaption and time"
    SILENT = "Last-Modified only"


@dataclass(frozen=True)
class PageSpec:
    """One page of the website."""

    path: str
    title: str
    style: Style
    images: tuple[str, ...]
    uploader: str | None = None
    uploaded_at: datetime | None = None


def _page(path: str, title: str, style: Style, by: str, at: str, *images: str) -> PageSpec:
    return PageSpec(path, title, style, images, by, datetime.fromisoformat(at))


HOME = PageSpec("/", "Pixel Attic", Style.SILENT, ("galaxies.jpg",))
LATEST = _page(
    "/latest.html", "Latest finds", Style.CAPTION, "Otto Brandt", "2026-02-11T18:05:00+01:00",
    "retina.jpg",
)  # fmt: skip
"""The page that changes between the crawls."""

SILENT = PageSpec(
    "/dump/2024.html", "Dump 2024", Style.SILENT,
    ("tissue.webp", "dahlia.png", "cell.jpg", "vessels.jpg"),
)  # fmt: skip
PAGES = (
    HOME,
    LATEST,
    SILENT,
    _page("/blog/weekend.html", "A slow weekend", Style.JSON_LD, "Mira Kovac",
          "2025-03-02T09:15:00+01:00", "cat-on-sofa.jpg", "morning-coffee.jpg", "grass.jpg"),
    _page("/shop/posters.html", "Posters", Style.MICRODATA, "Posterhaus Blau",
          "2025-05-20T12:00:00+02:00", "poster-astronaut.jpg", "launch-small.jpg", "brick.jpg"),
    _page("/news/launch.html", "Launch day", Style.OPEN_GRAPH, "Jon Arne Lie",
          "2025-06-01T04:03:00+00:00", "falcon9.jpg"),
    _page("/gallery/friends.html", "From friends", Style.CAPTION, "Lena Ortiz",
          "2025-07-14T20:30:00+02:00", "film-crew.jpg", "temple.jpg", "dahlia-bw.jpg",
          "gravel.jpg"),
    _page("/recipes/espresso.html", "The perfect espresso", Style.JSON_LD, "Barista Bo",
          "2025-08-08T07:00:00+00:00", "espresso-bright.jpg", "cup.png", "horse.jpg"),
    _page("/people/heroes.html", "Heroes", Style.OPEN_GRAPH, "Ada Nkemelu",
          "2025-09-19T16:45:00+00:00", "portrait.jpg", "clock.jpg",
          copies.TRAP.name),
    _page("/scans/index.html", "Scans", Style.CAPTION, "R. Petit",
          "2025-10-03T11:11:00+02:00", "scan-0017.jpg", "slide-framed.jpg", "writing.jpg"),
    _page("/travel/beijing.html", "Beijing", Style.MICRODATA, "Wander Wim",
          "2025-11-30T08:20:00+08:00", "pagoda-wide.jpg", "temple.jpg"),
    _page("/archive/coins.html", "Old coins", Style.JSON_LD, "Numis Max",
          "2025-12-24T15:00:00+01:00", "old-money.jpg"),
)  # fmt: skip
"""``temple.jpg`` is shown on two pages; the picture of the forbidden folder on an allowed one."""

FORBIDDEN = "/private/"
_ROBOTS = f"User-agent: *\nDisallow: {FORBIDDEN}\n".encode()
_TRAP_PAGE = PageSpec(f"{FORBIDDEN}album.html", "Members", Style.SILENT, (copies.TRAP.name,))
_ON_CDN = frozenset({"falcon9.jpg", "tissue.webp", "portrait.jpg", "scan-0017.jpg", "clock.jpg"})
_TYPES = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
_PAGES_CHANGED, _IMAGES_CHANGED = days_ago(20), days_ago(40)

_template = Environment(
    loader=PackageLoader("demo"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
).get_template("page.html.j2")


class Website:
    """Two web servers, the site and its CDN, with one access log."""

    def __init__(self, originals: Mapping[str, bytes]) -> None:
        self.log = AccessLog()
        self._site, self._cdn = WebServer(self.log), WebServer(self.log)
        self._originals = originals
        self._pages = {self._site.address(page.path): page for page in PAGES}
        for server in (self._site, self._cdn):
            server.put("/robots.txt", Resource(_ROBOTS, "text/plain", _PAGES_CHANGED))
        unrelated = (Copy(f"{photo.key}.jpg", photo.key, "unrelated") for photo in UNRELATED)
        for copy in (*copies.COPIES, copies.LATE, copies.TRAP, *unrelated):
            self._put_image(copy, _IMAGES_CHANGED)
        for page in (*PAGES, _TRAP_PAGE):
            self._put_page(page, _PAGES_CHANGED)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve for as long as the block lasts."""
        with self._site.running(), self._cdn.running():
            yield

    @property
    def address(self) -> str:
        """Where a crawl starts."""
        return self._site.address()

    def image_address(self, name: str) -> str:
        """Return where an image lies."""
        folder = FORBIDDEN if name == copies.TRAP.name else "/img/"
        return self._server_of(name).address(folder + name)

    def image(self, name: str) -> bytes:
        """Return an image's bytes."""
        resource = self._server_of(name).get(urlsplit(self.image_address(name)).path)
        return resource.body if resource else b""

    def pages_showing(self, name: str) -> list[str]:
        """Return the addresses of the pages that show an image."""
        return [address for address, page in self._pages.items() if name in page.images]

    @property
    def stated(self) -> dict[str, Stated]:
        """What each page says; its images' Last-Modified where it says nothing."""
        return {
            address: Stated(page.uploader, page.uploaded_at or _IMAGES_CHANGED)
            for address, page in self._pages.items()
        }

    def add_copy(self, copy: Copy) -> set[str]:
        """Show a new copy on the latest page; return the addresses that changed thereby."""
        self._put_image(copy, days_ago(0))
        page = replace(LATEST, images=(*LATEST.images, copy.name))
        address = self._site.address(page.path)
        self._pages[address] = page
        self._put_page(page, days_ago(0))
        return {address, self.image_address(copy.name)}

    def _put_image(self, copy: Copy, changed: datetime) -> None:
        kind = _TYPES[copy.name.rpartition(".")[2]]
        body = copy.make(self._originals[copy.original])
        path = urlsplit(self.image_address(copy.name)).path
        self._server_of(copy.name).put(path, Resource(body, kind, changed))

    def _server_of(self, image: str) -> WebServer:
        return self._cdn if image in _ON_CDN else self._site

    def _put_page(self, page: PageSpec, changed: datetime) -> None:
        html = _template.render(
            page=page,
            images={name: self.image_address(name) for name in page.images},
            links=[*PAGES, _TRAP_PAGE] if page is HOME else [HOME],
            Style=Style,
        )
        self._site.put(page.path, Resource(html.encode(), "text/html; charset=utf-8", changed))
