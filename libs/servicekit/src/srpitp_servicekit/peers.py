"""The other services, over REST, each call with our key and the request's id."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from asgi_correlation_id import correlation_id

from srpitp_contracts.names import ServiceName
from srpitp_servicekit.settings import ServiceSettings

REQUEST_ID_HEADER = "X-Request-ID"
_TIMEOUT = httpx.Timeout(30, connect=5)


class Peers:
    """The other services.

    Every method raises ``httpx.HTTPError`` when the service does not answer, or answers with an
    error status (``httpx.HTTPStatusError``).
    """

    def __init__(self, settings: ServiceSettings, client: httpx.AsyncClient) -> None:
        self._settings = settings
        self._client = client

    async def put(self, to: ServiceName, path: str, body: Any) -> Any:
        """Put JSON to a path of a service and return the JSON of its answer, if it has any."""
        response = await self._client.put(
            self._settings.url_of(to) + path, json=body, headers=self._headers()
        )
        response.raise_for_status()
        try:
            return response.json() if response.content else None
        except ValueError as error:
            raise httpx.DecodingError(f"{to} did not answer with JSON") from error

    async def post_bytes(self, to: ServiceName, path: str, data: bytes) -> httpx.Response:
        """Post bytes to a path of a service and return its answer, whatever its status."""
        headers = {**self._headers(), "Content-Type": "application/octet-stream"}
        return await self._client.post(
            self._settings.url_of(to) + path, content=data, headers=headers
        )

    async def get(self, to: ServiceName, path: str) -> httpx.Response:
        """Get a path of a service and return its answer, whatever its status."""
        return await self._client.get(self._settings.url_of(to) + path, headers=self._headers())

    async def post_files(
        self, to: ServiceName, path: str, files: Mapping[str, bytes], fields: Mapping[str, str]
    ) -> httpx.Response:
        """Post a form with files to a path of a service and return its answer."""
        return await self._client.post(
            self._settings.url_of(to) + path,
            files=dict(files),
            data=dict(fields),
            headers=self._headers(),
        )

    def _headers(self) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {self._settings.service_key.get_secret_value()}"}
        if request_id := correlation_id.get():
            headers[REQUEST_ID_HEADER] = request_id
        return headers


@asynccontextmanager
async def open_peers(settings: ServiceSettings) -> AsyncIterator[Peers]:
    """Open the connections to the other services."""
    # Uvicorn closes an idle connection after 5 s: let it go before, not just as we use it.
    limits = httpx.Limits(max_connections=64, keepalive_expiry=4)
    # Peers are addresses that the operator set: no proxy of the environment stands between.
    async with httpx.AsyncClient(timeout=_TIMEOUT, limits=limits, trust_env=False) as client:
        yield Peers(settings, client)
