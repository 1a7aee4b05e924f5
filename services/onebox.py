"""All five services in one process on one port: SRPITP on one machine.

``python -m services.onebox --data-dir DIR --port N`` starts ``mongod``, then the services, each
after those that it calls: fingerprint, notification, matcher, registration, crawler. SIGINT and
SIGTERM end them in the reverse order, ``mongod`` last. Everything that is kept lies in DIR:

``keys/``
    The administrator's key and the services' own, readable by this user only.
``mongodb/``
    The database, unless SRPITP_MONGODB_URI names another.
``url``
    Where the services are, or were last: the ``srpitp`` command looks there.
"""

import argparse
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from pathlib import Path
from types import FrameType

import httpx
from fastapi import FastAPI
from pydantic import ValidationError
from pydantic_settings import SettingsError

from services.crawler.main import create_app as create_crawler
from services.fingerprint.main import create_app as create_fingerprint
from services.matcher.main import create_app as create_matcher
from services.notification.main import create_app as create_notification
from services.registration.main import create_app as create_registration
from srpitp_contracts.names import ServiceName
from srpitp_servicekit import rendering, server
from srpitp_servicekit.auth import new_secret
from srpitp_servicekit.embedded import EmbeddedMongoError, running_mongod
from srpitp_servicekit.problems import UnavailableError
from srpitp_servicekit.settings import ServiceSettings

_IN_STARTING_ORDER: Mapping[ServiceName, Callable[[], FastAPI]] = {
    ServiceName.FINGERPRINT: create_fingerprint,
    ServiceName.NOTIFICATION: create_notification,
    ServiceName.MATCHER: create_matcher,
    ServiceName.REGISTRATION: create_registration,
    ServiceName.CRAWLER: create_crawler,
}


def create_app(url: str) -> FastAPI:
    """Mount the five apps; each takes its settings from the environment.

    Starlette does not enter the lifespans of what is mounted, so ours does, in the order of the
    module's docstring.
    """
    apps = {name: create() for name, create in _IN_STARTING_ORDER.items()}

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for mounted in apps.values():
                await stack.enter_async_context(mounted.router.lifespan_context(mounted))
            print(f"srpitp is ready on {url}", flush=True)
            yield

    app = FastAPI(title="SRPITP", lifespan=lifespan, docs_url=None, openapi_url=None)
    rendering.install(app)

    @app.get("/")
    async def index() -> dict[str, dict[str, str]]:
        return {
            name: {"url": f"{url}/{name}/v1", "docs": f"{url}/{name}/docs"} for name in sorted(apps)
        }

    @app.get("/health/live")
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @app.get("/health/ready")
    async def ready() -> dict[str, str]:
        unready = [name for name, mounted in apps.items() if not await _is_ready(mounted)]
        if unready:
            raise UnavailableError(f"Not ready: {', '.join(unready)}.")
        return {"status": "ready"}

    for name, mounted in apps.items():
        app.mount(f"/{name}", mounted)
    return app


async def _is_ready(app: FastAPI) -> bool:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        answer = await client.get("http://onebox/health/ready")
    return answer.is_success


@contextmanager
def prepared(folder: Path, host: str, port: int) -> Iterator[str]:
    """Make the folder, the keys and the database ready, and tell them to the environment.

    By the environment, since the crawls are processes of their own and read the same.

    Yields
    ------
    str
        The URL at which everything is to be served.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    url = f"http://{_reachable(host)}:{port}"
    with _database(folder) as mongodb_uri:
        os.environ |= {
            "SRPITP_MONGODB_URI": mongodb_uri,
            "SRPITP_DATA_DIR": str(folder),
            "SRPITP_ADMIN_KEY": os.environ.get("SRPITP_ADMIN_KEY") or _key(folder, "admin"),
            "SRPITP_SERVICE_KEY": os.environ.get("SRPITP_SERVICE_KEY") or _key(folder, "service"),
            "SRPITP_HOST": host,
            **{f"SRPITP_{name.upper()}_URL": f"{url}/{name}" for name in ServiceName},
        }
        (folder / "url").write_text(url)
        yield url


def _database(folder: Path) -> AbstractContextManager[str]:
    given = os.environ.get("SRPITP_MONGODB_URI")
    return nullcontext(given) if given else running_mongod(folder)


def _key(folder: Path, name: str) -> str:
    """Return the key that is kept in a file; make it if there is none."""
    path = folder / "keys" / name
    if not path.exists():
        path.parent.mkdir(mode=0o700, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(new_secret())
        fresh.replace(path)
    return path.read_text()


def _reachable(host: str) -> str:
    """Return the host by which this machine reaches what listens on ``host``."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"[{host}]" if ":" in host else host


def _claim_port(host: str, port: int) -> int:
    """Return the port, a free one for 0; raise OSError when it is taken.

    Seen before anything is started, so that the answer comes at once and in one line.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        return int(probe.getsockname()[1])


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m services.onebox", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run everything until told to end; return the exit status."""
    options = _parse(arguments)
    # uvicorn raises a signal again once it has served: that must not end us before mongod ends.
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    try:
        port = _claim_port(options.host, options.port)
    except OSError as error:
        where = f"{options.host}:{options.port}"
        return _fail(f"cannot listen on {where}: {error.strerror}; choose another with --port")
    try:
        with prepared(options.data_dir.absolute(), options.host, port) as url:
            settings = ServiceSettings()  # with the keys that prepared() set
            server.run(create_app(url), settings, port=port)
    except KeyboardInterrupt:
        return 0
    except ValidationError as error:
        wrong = error.errors()[0]
        return _fail(f"the setting SRPITP_{str(wrong['loc'][0]).upper()}: {wrong['msg']}")
    except (EmbeddedMongoError, SettingsError) as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"cannot use {options.data_dir}: {error.strerror}")
    return 0


def _fail(reason: str) -> int:
    print(f"srpitp: {reason}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
