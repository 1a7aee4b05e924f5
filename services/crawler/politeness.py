"""How a crawl behaves towards the sites that it visits: Scrapy's settings and two middlewares."""

import asyncio
from typing import Any

from scrapy.crawler import Crawler
from scrapy.downloadermiddlewares.retry import RetryMiddleware
from scrapy.http import Request, Response
from scrapy.settings.default_settings import EXTENSIONS_BASE, RETRY_EXCEPTIONS

from services.crawler.settings import Settings
from services.crawler.spider import NotOnSiteError
from srpitp_contracts.crawling import Site
from srpitp_servicekit.egress import USER_AGENT

_MAX_IMAGE_BYTES = 50 * 2**20
_LONGEST_RETRY_AFTER_SECONDS = 30
_THROTTLE = "scrapy.extensions.throttle.AutoThrottle"
_UNRESOLVED = "scrapy.exceptions.CannotResolveHostError"


class RetryAfterMiddleware(RetryMiddleware):
    """Retries as Scrapy does, but waits first as long as the server asks."""

    async def process_response(  # type: ignore[override]  # Scrapy awaits it, if need be
        self, request: Request, response: Response
    ) -> Request | Response:
        """Wait if the server asks for it, then decide."""
        if response.status in self.retry_http_codes:
            await asyncio.sleep(_seconds(response.headers.get("Retry-After")))
        return super().process_response(request, response)


def _seconds(retry_after: bytes | None) -> int:
    if retry_after is None or not retry_after.isdigit():
        return 0  # dates are rare here, and the next crawl comes anyway
    return min(int(retry_after), _LONGEST_RETRY_AFTER_SECONDS)


class StayOnSiteMiddleware:
    """Refuses pages elsewhere, before they are asked for: redirects lead there. Images may go."""

    def __init__(self, crawler: Any) -> None:
        self._crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> "StayOnSiteMiddleware":
        """Return the middleware of a crawl."""
        return cls(crawler)

    def process_request(self, request: Request) -> None:
        """Let a request pass, or raise."""
        if request.meta.get("page_of_site") and not self._crawler.spider.is_on_site(request.url):
            raise NotOnSiteError(f"{request.url} is not on the site")


def scrapy_settings(settings: Settings, site: Site) -> dict[str, Any]:
    """Return the settings of a site's crawl."""
    return {
        "USER_AGENT": USER_AGENT,
        "ROBOTSTXT_OBEY": site.obey_robots,
        # Addresses come from pages: nothing but the web may be asked for.
        "DOWNLOAD_HANDLERS": dict.fromkeys(("data", "file", "ftp", "s3")),
        "DOWNLOAD_MAXSIZE": _MAX_IMAGE_BYTES,
        "DOWNLOAD_WARNSIZE": 0,
        "DOWNLOAD_TIMEOUT": settings.crawl_request_timeout_seconds,
        "DOWNLOAD_DELAY": settings.crawl_delay_seconds,
        "CONCURRENT_REQUESTS": 2 * settings.crawl_concurrency,
        "CONCURRENT_REQUESTS_PER_DOMAIN": settings.crawl_concurrency,
        "AUTOTHROTTLE_ENABLED": True,
        "AUTOTHROTTLE_START_DELAY": settings.crawl_delay_seconds,
        "AUTOTHROTTLE_MAX_DELAY": 10,
        "AUTOTHROTTLE_TARGET_CONCURRENCY": settings.crawl_concurrency,
        "REDIRECT_MAX_TIMES": 5,
        "RETRY_TIMES": 2,
        # A host that we must not connect to does not resolve; asking again changes nothing.
        "RETRY_EXCEPTIONS": [error for error in RETRY_EXCEPTIONS if error != _UNRESOLVED],
        "DOWNLOADER_MIDDLEWARES": {
            StayOnSiteMiddleware: 90,
            "scrapy.downloadermiddlewares.retry.RetryMiddleware": None,
            RetryAfterMiddleware: 550,
        },
        "SPIDER_MIDDLEWARES": {"scrapy.spidermiddlewares.depth.DepthMiddleware": None},
        "DUPEFILTER_CLASS": "scrapy.dupefilters.BaseDupeFilter",
        "SCHEDULER_MEMORY_QUEUE": "scrapy.squeues.FifoMemoryQueue",
        "COOKIES_ENABLED": False,
        "HTTPPROXY_ENABLED": False,
        # Two of them open ports into the process; not even loaded, they cost no time either.
        "EXTENSIONS": dict.fromkeys(set(EXTENSIONS_BASE) - {_THROTTLE}),
        "LOG_ENABLED": False,
        "STATS_DUMP": False,
    }
