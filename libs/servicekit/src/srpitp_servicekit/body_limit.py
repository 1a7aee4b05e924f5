"""Request bodies are refused while they arrive once they are larger than anything that we take.

FastAPI reads a declared body, all of it, before it asks who sends it; so without a limit any
stranger could fill our memory. (Its own ``max_body_size`` answers in plain text, where our callers
expect a problem.)
"""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 16 * 2**20
"""What a document of MongoDB holds: nothing larger could be kept, files apart."""

_LIMIT = "srpitp.body_limit"


class BodyLimit:
    """Middleware that counts each request's body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what arrives."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope[_LIMIT] = MOST_BYTES
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            limit = scope[_LIMIT]
            if limit is not None and received > limit:
                # Without a close, the server would go on reading what is of no use to anyone.
                close = {"Connection": "close"}
                raise HTTPException(413, f"The request has more than {limit:,} bytes.", close)
            return message

        await self._app(scope, counted, send)


def lift(request: Request) -> None:
    """Let a route that knows its caller, and counts for itself, read more."""
    request.scope[_LIMIT] = None
