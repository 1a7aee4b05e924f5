"""Sites, crawls, and the images that were found."""

from collections.abc import Iterator

from srpitp.connection import Connection
from srpitp_contracts.crawling import (
    Crawl,
    CrawlState,
    DetectedImage,
    DetectedImageWithSightings,
    Site,
    SiteRequest,
)
from srpitp_contracts.names import ServiceName

_SERVICE = ServiceName.CRAWLER


class Sites:
    """The sites that the administrator chose."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, request: SiteRequest) -> Site:
        """Have a site monitored from now on."""
        return self._connection.create(_SERVICE, "/sites", Site, body=request)

    def get(self, site_id: str) -> Site:
        """Show a site."""
        return self._connection.get(_SERVICE, f"/sites/{site_id}", Site)

    def list(self) -> Iterator[Site]:
        """Iterate over all sites, newest first."""
        return self._connection.pages(_SERVICE, "/sites", Site)

    def remove(self, site_id: str) -> None:
        """Monitor a site no more."""
        self._connection.call(_SERVICE, "DELETE", f"/sites/{site_id}")

    def crawl(self, site_id: str) -> Crawl:
        """Have a site visited now; return the crawl that waits or runs, if there is one."""
        return self._connection.post(_SERVICE, f"/sites/{site_id}/crawls", Crawl)


class Crawls:
    """Visits to sites."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, crawl_id: str) -> Crawl:
        """Show a crawl, with what it did so far."""
        return self._connection.get(_SERVICE, f"/crawls/{crawl_id}", Crawl)

    def list(
        self, *, site_id: str | None = None, state: CrawlState | None = None
    ) -> Iterator[Crawl]:
        """Iterate over crawls, newest first."""
        return self._connection.pages(_SERVICE, "/crawls", Crawl, site_id=site_id, state=state)


class Detected:
    """Images that crawls found."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, detected_id: str) -> DetectedImageWithSightings:
        """Show a detected image, with every page that shows it."""
        path = f"/detected/{detected_id}"
        return self._connection.get(_SERVICE, path, DetectedImageWithSightings)

    def list(self, *, site_id: str | None = None) -> Iterator[DetectedImage]:
        """Iterate over detected images, newest first."""
        return self._connection.pages(_SERVICE, "/detected", DetectedImage, site_id=site_id)

    def file(self, detected_id: str) -> bytes:
        """Return the bytes as the site served them."""
        return self._connection.call(_SERVICE, "GET", f"/detected/{detected_id}/file").content
