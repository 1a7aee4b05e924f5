"""The client: one key, five services, one attribute for each kind of thing."""

from collections.abc import Mapping
from types import TracebackType
from typing import Self

import httpx

from srpitp.alerting import Alerts, Deliveries, Subscriptions
from srpitp.allowances import Allowances
from srpitp.connection import Connection
from srpitp.crawling import Crawls, Detected, Sites
from srpitp.matching import Matches
from srpitp.registration import Images, Keys, Owners
from srpitp.reviewing import Exclusions, Reviews
from srpitp.runs import Runs
from srpitp_contracts.names import ServiceName

DEFAULT_URL = "http://127.0.0.1:8000"


class Client:
    """SRPITP over REST; safe to be shared by threads.

    Parameters
    ----------
    url
        Where the services are: the registration service at ``<url>/registration``, and so on.
    key
        An API key.
    urls
        Services that are elsewhere.
    timeout_seconds
        How long an answer may take.
    transport
        How the requests are sent; httpx's own if none.

    Examples
    --------
    >>> with Client("http://127.0.0.1:8000", key) as client:  # doctest: +SKIP
    ...     image = client.images.protect(path.read_bytes(), title=path.name)
    ...     for match in client.matches.list(protected_id=image.id):
    ...         print(match.image_address, match.distance)
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        key: str | None = None,
        *,
        urls: Mapping[ServiceName, str] | None = None,
        timeout_seconds: float = 60,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        base = url.rstrip("/")
        self._connection = Connection(
            {name: f"{base}/{name}" for name in ServiceName} | dict(urls or {}),
            key,
            timeout_seconds=timeout_seconds,
            transport=transport,
        )
        self.owners = Owners(self._connection)
        self.keys = Keys(self._connection)
        self.images = Images(self._connection)
        self.allowances = Allowances(self._connection)
        self.sites = Sites(self._connection)
        self.crawls = Crawls(self._connection)
        self.detected = Detected(self._connection)
        self.matches = Matches(self._connection)
        self.reviews = Reviews(self._connection)
        self.exclusions = Exclusions(self._connection)
        self.runs = Runs(self._connection)
        self.subscriptions = Subscriptions(self._connection)
        self.alerts = Alerts(self._connection)
        self.deliveries = Deliveries(self._connection)

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
