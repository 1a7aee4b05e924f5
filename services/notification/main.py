"""The notification service: wiring only."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from fastapi import FastAPI

from services.notification.api import router
from services.notification.delivery import Deliverer
from services.notification.service import NotificationService
from services.notification.settings import Settings
from services.notification.store import INDEXES, NotificationStore
from srpitp_contracts.names import ServiceName
from srpitp_servicekit.app import build_app
from srpitp_servicekit.auth import Authenticator
from srpitp_servicekit.egress import AddressPolicy, guarded_client
from srpitp_servicekit.mongo import open_database
from srpitp_servicekit.server import serve


def create_app(settings: Settings | None = None) -> FastAPI:
    """Wire the notification service."""
    settings = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        """Open the store and the way out, then deliver; close in the reverse order."""
        policy = AddressPolicy(settings.egress_allow)
        async with (
            open_database(settings, INDEXES, service=ServiceName.NOTIFICATION) as db,
            guarded_client(policy, timeout_seconds=settings.delivery_timeout_seconds) as client,
        ):
            store = NotificationStore(db, lease=timedelta(seconds=settings.delivery_lease_seconds))
            deliverer = Deliverer(store, client, settings)
            app.state.db = db
            app.state.authenticator = Authenticator(db, settings)
            app.state.service = NotificationService(store, policy, settings, deliverer.wake)
            async with deliverer.running():
                yield

    return build_app(
        ServiceName.NOTIFICATION,
        router,
        lifespan,
        description="Tells owners of noted matches: subscriptions, alerts, deliveries.",
    )


if __name__ == "__main__":
    _settings = Settings()
    serve(create_app(_settings), ServiceName.NOTIFICATION, _settings)
