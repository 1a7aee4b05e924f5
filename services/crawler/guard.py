"""Where a crawl may connect to: every host is resolved, checked and pinned by one policy.

Twisted asks the reactor's resolver for each connection it opens, also when the host is written
as a number and also after a redirect, and connects to the very address that it is given. So this
is the one gate, and there is no second look-up between check and use.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from scrapy.resolver import HostResolution
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IHostnameResolver
from zope.interface import implementer  # type: ignore[import-untyped]

from srpitp_servicekit.egress import AddressPolicy
from srpitp_servicekit.problems import AddressRefusedError, AddressUnreachableError

logger = logging.getLogger(__name__)


@implementer(IHostnameResolver)
class GuardedResolver:
    """Gives the addresses that the policy permits, and no others."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._tasks: set[asyncio.Task[None]] = set()
        self.refused: dict[str, str] = {}
        """Why each host was not connected to."""

    def resolveHostName(  # noqa: N802  (Twisted's name)
        self,
        receiver: Any,
        host: str,
        portNumber: int = 0,  # noqa: N803
        addressTypes: Sequence[Any] | None = None,  # noqa: ARG002, N803
        transportSemantics: str = "TCP",  # noqa: ARG002, N803
    ) -> HostResolution:
        """Resolve a host for a connection that is about to be opened."""
        resolution = HostResolution(host)
        receiver.resolutionBegan(resolution)
        task = asyncio.ensure_future(self._resolve(receiver, host, portNumber))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return resolution

    async def _resolve(self, receiver: Any, host: str, port: int) -> None:
        try:
            address = await self._policy.resolve(_as_web_address(host, port))
        except (AddressRefusedError, AddressUnreachableError) as error:
            logger.info("not connected: %s", error.detail)
            self.refused[host] = error.detail
        else:
            kind = IPv4Address if address.version == 4 else IPv6Address
            receiver.addressResolved(kind("TCP", str(address), port))
        receiver.resolutionComplete()


def _as_web_address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
