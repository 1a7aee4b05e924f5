"""Logs: one JSON object a line, each with the id of the request that it belongs to."""

import logging
import sys

from asgi_correlation_id import CorrelationIdFilter
from pythonjsonlogger.json import JsonFormatter

_FIELDS = "%(asctime)s %(levelname)s %(name)s %(message)s %(correlation_id)s"


def configure_logging(level: str) -> None:
    """Send all logs of this process to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter(
            _FIELDS,
            rename_fields={
                "asctime": "time",
                "levelname": "level",
                "name": "logger",
                "correlation_id": "request_id",
            },
        )
    )
    handler.addFilter(CorrelationIdFilter(default_value=None))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # One line for each request to a peer or a site would bury what matters.
    logging.getLogger("httpx").setLevel(logging.WARNING)
