"""The spider: walks one site, page by page, and asks for the images that the pages show.

Scrapy fetches; what becomes of what it fetched is decided in `Intake`. The spider keeps the walk:
which addresses were asked for, how deep, and which pages wait for which image. (Scrapy's filter of
duplicate requests would hide the second page that shows an image, and its depth limit the images
of the deepest pages; so both are off.)
"""

import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

import scrapy
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Request, Response

from services.crawler.addresses import identity, same_place
from services.crawler.intake import Answer, FingerprintAwayError, Intake
from services.crawler.page import MAX_PAGE_BYTES
from services.crawler.state import ImageState, PageState, Shown
from srpitp_contracts.crawling import Site

logger = logging.getLogger(__name__)

_IMAGES_FIRST = 1_000_000
_NOT_MODIFIED = 304
_ROBOTS_FORBID = "Forbidden by robots.txt"  # what Scrapy's middleware says
# A server that can choose sends what most others would copy, too.
_ACCEPT_IMAGE = "image/jpeg,image/png,image/webp,image/*;q=0.8,*/*;q=0.5"

Requests = AsyncIterator[Request]


class NotOnSiteError(IgnoreRequest):
    """A page lies elsewhere, and was not asked for."""


class SiteSpider(scrapy.Spider):
    """Walks one site.

    Parameters
    ----------
    site
        Where to begin, and how far to go.
    intake
        Takes what was fetched.
    """

    name = "site"
    handle_httpstatus_list = (_NOT_MODIFIED,)

    def __init__(self, site: Site, intake: Intake, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._site = site
        self._intake = intake
        self._homes = [site.address]
        self._asked: set[str] = set()
        self._waiting: dict[str, list[Shown]] = {}
        self._failed: set[str] = set()
        self.start_failure: str | None = None
        """Why there is nothing to walk."""
        self.not_fingerprinted = 0
        """How many images wait for the fingerprint service: the crawl is not done without them."""

    async def start(self) -> Requests:
        """Begin at the site's address."""
        async for request in self._visit([self._site.address], 0):
            yield request

    def is_on_site(self, address: str) -> bool:
        """Return whether a page belongs to the site, or to where its first page redirects."""
        return any(same_place(address, home) for home in self._homes)

    async def _visit(self, addresses: Sequence[str], depth: int) -> Requests:
        """Ask for pages; walk on from those that this crawl took before it was interrupted."""
        fresh = self._not_asked(addresses)
        known = await self._intake.known_pages(fresh)
        for address in fresh:
            state = known.get(address)
            if state and self._intake.is_done(state):
                async for request in self._walk_on(state, depth):
                    yield request
            else:
                yield self._page_request(address, state, depth)

    def _not_asked(self, addresses: Sequence[str]) -> list[str]:
        fresh = []
        for address in addresses:
            if len(self._asked) >= self._site.max_pages:
                break
            key = identity(address)
            if key not in self._asked and self.is_on_site(address):
                self._asked.add(key)
                fresh.append(address)
        return fresh

    def _page_request(self, address: str, known: PageState | None, depth: int) -> Request:
        return Request(
            address,
            callback=self.page,
            errback=self.page_failed,
            headers=known.validators() if known else None,
            priority=-depth,  # near pages first: that is where new photos are shown
            meta={"download_maxsize": MAX_PAGE_BYTES, "page_of_site": depth > 0},
            cb_kwargs={"address": address, "known": known, "depth": depth},
        )

    async def page(
        self, response: Response, address: str, known: PageState | None, depth: int
    ) -> Requests:
        """Take a page and walk on from it."""
        state = await self._intake.take_page(address, known, _answer(response))
        async for request in self._walk_on(state, depth):
            yield request

    async def _walk_on(self, state: PageState, depth: int) -> Requests:
        if depth == 0:
            self._homes.append(state.final_address)
        shown = [
            Shown(page_address=state.final_address, page_title=state.page.title, image=image)
            for image in state.page.images
        ]
        async for request in self._show(shown):
            yield request
        if depth < self._site.max_depth:
            async for request in self._visit(state.page.links, depth + 1):
                yield request

    async def _show(self, shown: Sequence[Shown]) -> Requests:
        """Ask for a page's images, each once a crawl, however many pages show it."""
        fresh: dict[str, list[Shown]] = {}
        for one in shown:
            key = identity(one.image.address)
            if key in self._waiting:
                self._waiting[key].append(one)
            elif key not in self._failed:
                self._waiting[key] = fresh[key] = [one]
        addresses = [pages[0].image.address for pages in fresh.values()]
        known = await self._intake.known_images(addresses)
        for address in addresses:
            state = known.get(address)
            if state and self._intake.is_done(state):
                await self._intake.see_again(state, self._waiting.pop(identity(address)))
            else:
                yield self._image_request(address, state)

    def _image_request(self, address: str, known: ImageState | None) -> Request:
        return Request(
            address,
            callback=self.image,
            errback=self.image_failed,
            headers={"Accept": _ACCEPT_IMAGE, **(known.validators() if known else {})},
            priority=_IMAGES_FIRST,
            cb_kwargs={"address": address, "known": known},
        )

    async def image(self, response: Response, address: str, known: ImageState | None) -> Requests:
        """Take an image, for all pages that showed it up to now."""
        key = identity(address)
        shown = list(self._waiting[key])
        try:
            state = await self._intake.take_image(address, known, _answer(response), shown)
        except BaseException as error:
            self._give_up_image(key)
            if not isinstance(error, FingerprintAwayError):
                raise
            logger.warning("%s was not fingerprinted: %s", address, error)
            self._intake.count_failure()
            self.not_fingerprinted += 1
            return
        if state is None:
            yield self._image_request(address, None)
            return
        # Pages that showed it while it was fingerprinted.
        if late := self._waiting.pop(key)[len(shown) :]:
            await self._intake.see_again(state, late)

    def page_failed(self, failure: Any) -> None:
        """Note a page that did not come."""
        self._note_failure(failure)
        if failure.request.cb_kwargs["depth"] == 0:
            self.start_failure = _reason(failure)

    def image_failed(self, failure: Any) -> None:
        """Note an image that did not come; the next crawl asks for it again."""
        self._note_failure(failure)
        self._give_up_image(identity(failure.request.cb_kwargs["address"]))

    def _give_up_image(self, key: str) -> None:
        self._waiting.pop(key, None)
        self._failed.add(key)

    def _note_failure(self, failure: Any) -> None:
        if failure.check(NotOnSiteError) or failure.getErrorMessage() == _ROBOTS_FORBID:
            logger.debug("%s was not asked for: %s", failure.request.url, _reason(failure))
        else:
            logger.info("%s failed: %s", failure.request.url, _reason(failure))
            self._intake.count_failure()


def _answer(response: Response) -> Answer:
    headers = {
        name.decode("latin-1").lower(): b", ".join(values).decode("latin-1")
        for name, values in response.headers.items()
    }
    return Answer(response.url, response.status, headers, response.body)


def _reason(failure: Any) -> str:
    response = getattr(failure.value, "response", None)
    if response is not None:
        return f"it answered {response.status}"
    return failure.getErrorMessage() or type(failure.value).__name__
