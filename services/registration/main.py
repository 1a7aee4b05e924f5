"""The registration service: wiring only."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.registration.allowance_store import ALLOWANCE_INDEXES, AllowanceStore
from services.registration.allowances import AllowanceService
from services.registration.api import router
from services.registration.owners import OwnerService
from services.registration.service import ImageService
from services.registration.settings import Settings
from services.registration.store import INDEXES, RegistrationStore
from srpitp_contracts.names import ServiceName
from srpitp_servicekit.app import build_app
from srpitp_servicekit.auth import Authenticator
from srpitp_servicekit.blobs import BlobStore
from srpitp_servicekit.egress import AddressPolicy, guarded_client
from srpitp_servicekit.mongo import open_database
from srpitp_servicekit.outbox import Outbox
from srpitp_servicekit.peers import open_peers
from srpitp_servicekit.server import serve


def create_app(settings: Settings | None = None) -> FastAPI:
    """Wire the registration service."""
    settings = settings or Settings()
    indexes = {**INDEXES, **ALLOWANCE_INDEXES}

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        """Open the store, the peers and the way out, then tell the matcher; close in reverse."""
        async with (
            open_database(settings, indexes, service=ServiceName.REGISTRATION) as db,
            open_peers(settings) as peers,
            guarded_client(AddressPolicy(settings.egress_allow)) as web,
        ):
            outbox = Outbox(db, ServiceName.REGISTRATION, peers)
            outbox.measured_by(app.state.metrics)
            store = RegistrationStore(db, outbox)
            app.state.db = db
            app.state.settings = settings
            app.state.authenticator = Authenticator(db, settings)
            app.state.owners = OwnerService(store)
            app.state.allowances = AllowanceService(
                store,
                AllowanceStore(db, outbox),
                at_most=settings.allowances_per_owner,
                wake=outbox.wake,
            )
            app.state.service = ImageService(
                store,
                BlobStore(settings.data_dir),
                peers,
                web,
                max_bytes=settings.image_max_bytes,
                at_once=settings.registrations_at_once,
                wake=outbox.wake,
            )
            async with outbox.running():
                yield

    return build_app(
        ServiceName.REGISTRATION,
        router,
        lifespan,
        description="Owners, their keys, and the photos that they put under protection.",
    )


if __name__ == "__main__":
    _settings = Settings()
    serve(create_app(_settings), ServiceName.REGISTRATION, _settings)
