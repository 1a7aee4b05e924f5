"""Running an app as a process of its own."""

from urllib.parse import urlsplit

import uvicorn
from fastapi import FastAPI

from srpitp_contracts.names import ServiceName
from srpitp_servicekit.settings import ServiceSettings
from srpitp_servicekit.telemetry import configure_logging


def serve(app: FastAPI, name: ServiceName, settings: ServiceSettings) -> None:
    """Serve a service's app until the process is told to end."""
    run(app, settings, port=settings.port or urlsplit(settings.url_of(name)).port or 80)


def run(app: FastAPI, settings: ServiceSettings, *, port: int) -> None:
    """Serve an app on a port; requests that are under way may end when we are told to."""
    configure_logging(settings.log_level)
    uvicorn.run(
        app,
        host=settings.host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )
