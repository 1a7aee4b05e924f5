import httpx
import pytest
from asgi_correlation_id import correlation_id
from fastapi import APIRouter, FastAPI, Request, Response

from srpitp_contracts.names import ServiceName
from srpitp_servicekit.embedded import free_port
from srpitp_servicekit.peers import open_peers
from srpitp_servicekit.settings import ServiceSettings
from tests.keys import SERVICE_KEY
from tests.serving import Running

router = APIRouter()


@router.api_route("/v1/echo/{status}", methods=["PUT", "POST"])
async def echo(status: int, request: Request) -> Response:
    headers = {name: request.headers.get(name, "") for name in ("authorization", "x-request-id")}
    return Response(await request.body(), status, headers=headers)


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()
    app.include_router(router)
    both = FastAPI()
    both.mount("/fingerprint", app)  # in one process, a service has a path of its own
    return both


@pytest.mark.parametrize("slash", ["", "/"])
async def test_peer_is_called_with_our_key_and_the_request_s_id(
    app: FastAPI,
    running: Running,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    slash: str,
) -> None:
    async with running(app) as url:
        monkeypatch.setenv("SRPITP_FINGERPRINT_URL", f"{url}/fingerprint{slash}")
        async with open_peers(ServiceSettings()) as peers:
            token = correlation_id.set("mine")
            answer = await peers.post_bytes(ServiceName.FINGERPRINT, "/v1/echo/415", b"bytes")
            correlation_id.reset(token)
            assert (answer.status_code, answer.content) == (415, b"bytes")
            assert answer.headers["authorization"] == f"Bearer {SERVICE_KEY}"
            assert answer.headers["x-request-id"] == "mine"
            said = await peers.put(ServiceName.FINGERPRINT, "/v1/echo/200", {"a": [1]})
            assert said == {"a": [1]}
            for status in (302, 404, 500):
                with pytest.raises(httpx.HTTPStatusError):
                    await peers.put(ServiceName.FINGERPRINT, f"/v1/echo/{status}", {})


async def test_peer_that_is_away(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SRPITP_MATCHER_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid")
    async with open_peers(ServiceSettings()) as peers:
        with pytest.raises(httpx.ConnectError):
            await peers.put(ServiceName.MATCHER, "/v1/x", {})
