"""The fingerprint service as an app and as a process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.fingerprint.api import router
from services.fingerprint.engine import Engine
from services.fingerprint.service import FingerprintService
from services.fingerprint.settings import Settings
from srpitp_contracts.names import ServiceName
from srpitp_servicekit.app import build_app
from srpitp_servicekit.auth import Authenticator
from srpitp_servicekit.mongo import open_database
from srpitp_servicekit.server import serve


def create_app(settings: Settings | None = None) -> FastAPI:
    """Wire the service."""
    settings = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        """Open the database, for the keys of callers, and start the workers; end them first."""
        engine = Engine(settings)
        async with open_database(settings, service=ServiceName.FINGERPRINT) as db, engine.running():
            app.state.db = db
            app.state.settings = settings
            app.state.authenticator = Authenticator(db, settings)
            app.state.service = FingerprintService(engine, settings.fingerprint_profile)
            yield

    return build_app(
        ServiceName.FINGERPRINT,
        router,
        lifespan,
        description="Image bytes in; digest, size, quality, tags and fingerprints out.",
    )


if __name__ == "__main__":
    _settings = Settings()
    serve(create_app(_settings), ServiceName.FINGERPRINT, _settings)
