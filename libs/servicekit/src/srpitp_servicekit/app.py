"""The frame of every service's app: problems, request ids, health, OpenAPI."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from asgi_correlation_id import CorrelationIdMiddleware
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.routing import APIRoute

from srpitp_contracts.names import ServiceName
from srpitp_contracts.problems import Problem
from srpitp_servicekit import mongo, rendering
from srpitp_servicekit.body_limit import BodyLimit
from srpitp_servicekit.metrics import CONTENT_TYPE_LATEST, Metrics, RequestMetrics
from srpitp_servicekit.mongo import Database, PyMongoError
from srpitp_servicekit.peers import REQUEST_ID_HEADER
from srpitp_servicekit.problems import StoreUnavailableError, UnavailableError

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def build_app(
    name: ServiceName, router: APIRouter, lifespan: Lifespan, *, description: str
) -> FastAPI:
    """Return a service's app; what is to be measured is told to its ``state.metrics``.

    Parameters
    ----------
    name
        Which service.
    router
        Its routes.
    lifespan
        Opens what the routes need and leaves it in ``app.state``: ``service``,
        ``authenticator``, ``db`` where the service has a store, and ``unready`` where it needs
        more than that: a function that says why requests cannot be answered now, or None.
    description
        For the OpenAPI document.
    """
    app = FastAPI(
        title=f"SRPITP {name}",
        version="1",
        description=description,
        lifespan=lifespan,
        generate_unique_id_function=_operation_id,
    )
    app.state.metrics = Metrics()
    app.add_middleware(BodyLimit)
    app.add_middleware(RequestMetrics, metrics=app.state.metrics)
    app.add_middleware(CorrelationIdMiddleware, header_name=REQUEST_ID_HEADER, validator=_is_sane)
    rendering.install(app)
    app.include_router(router, prefix="/v1")
    app.include_router(_health)
    app.include_router(_metrics)
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name


def _is_sane(request_id: str) -> bool:
    return len(request_id) <= 64 and request_id.isascii() and request_id.isprintable()


_health = APIRouter(prefix="/health", tags=["health"])


@_health.get("/live")
async def live() -> dict[str, str]:
    """Say that the process runs."""
    return {"status": "live"}


@_health.get("/ready", responses={503: {"model": Problem}})
async def ready(request: Request) -> dict[str, str]:
    """Say that requests can be answered; 503 while MongoDB is away, or the service not ready."""
    db: Database | None = getattr(request.app.state, "db", None)
    if db is not None:
        try:
            await mongo.ping(db)
        except PyMongoError as error:
            raise StoreUnavailableError("The database is away for the moment.") from error
    unready: Callable[[], str | None] | None = getattr(request.app.state, "unready", None)
    if unready and (reason := unready()):
        raise UnavailableError(reason)
    return {"status": "ready"}


_metrics = APIRouter(include_in_schema=False)


@_metrics.get("/metrics")
async def metrics(request: Request) -> Response:
    """Give what is measured to Prometheus: numbers, nothing of what they are about."""
    told: Metrics = request.app.state.metrics
    return Response(await told.exposed(), media_type=CONTENT_TYPE_LATEST)
