"""``srpitp webhooks`` and ``srpitp alerts``."""

import contextlib
import time
from collections.abc import Iterator
from typing import Annotated

import typer
from pydantic import ValidationError

from srpitp.cli.access import access_of
from srpitp.cli.output import AsJson, Limit, console, moment, plain, show, show_json
from srpitp.client import Client
from srpitp.errors import SrpitpError
from srpitp_contracts.alerting import Alert, Attempt, Delivery, SubscriptionRequest
from srpitp_contracts.events import EventType

_POLL_SECONDS = 1
_PING_SECONDS = 30

webhooks = typer.Typer(no_args_is_help=True, help="Where alerts are sent, signed.")


@webhooks.command()
def add(
    context: typer.Context,
    address: Annotated[str, typer.Argument(help="Takes a POST for each alert.")],
    event: Annotated[list[EventType] | None, typer.Option(help="Only these; repeatable.")] = None,
    image: Annotated[
        list[str] | None, typer.Option(help="Only of these protected photos; repeatable.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a webhook; its secret is shown this once."""
    try:
        request = SubscriptionRequest.model_validate(
            {
                "address": address,
                "event_types": event or list(EventType),
                "image_ids": image or [],
            }
        )
    except ValidationError as error:
        raise typer.BadParameter("; ".join(item["msg"] for item in error.errors())) from error
    webhook = access_of(context).owner.subscriptions.add(request)
    if as_json:
        show_json(webhook)
    else:
        console().print(plain(f"{webhook.address} is webhook {webhook.id}"), soft_wrap=True)
        console().print(plain(f"secret, shown only now: {webhook.secret}"), soft_wrap=True)


@webhooks.command("list")
def list_webhooks(context: typer.Context, limit: Limit = 100, as_json: AsJson = False) -> None:
    """List the webhooks."""
    show(
        access_of(context).owner.subscriptions.list(),
        {
            "Id": lambda webhook: webhook.id,
            "Address": lambda webhook: webhook.address,
            "Events": lambda webhook: " ".join(sorted(webhook.event_types)),
            "Disabled": lambda webhook: webhook.disabled_reason or "",
        },
        as_json=as_json,
        limit=limit,
        nothing="There is no webhook yet: srpitp webhooks add ADDRESS",
    )


@webhooks.command()
def remove(
    context: typer.Context,
    webhook_id: Annotated[str, typer.Argument(help="As 'srpitp webhooks list' shows it.")],
) -> None:
    """Send nothing more to a webhook."""
    access_of(context).owner.subscriptions.remove(webhook_id)


@webhooks.command()
def ping(
    context: typer.Context,
    webhook_id: Annotated[str, typer.Argument(help="As 'srpitp webhooks list' shows it.")],
) -> None:
    """Send a test event, and say how the webhook took it."""
    client = access_of(context).owner
    attempt = _first_attempt(client, client.subscriptions.ping(webhook_id))
    if attempt.error:
        raise SrpitpError(f"The webhook did not take the ping: {attempt.error}")
    console().print(f"The webhook answered {attempt.status} after {attempt.duration_ms} ms.")


def alerts(
    context: typer.Context,
    follow: Annotated[bool, typer.Option("--follow", help="Until Ctrl-C, as they come.")] = False,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List what was found and noted."""
    client = access_of(context).owner
    if follow:
        with contextlib.suppress(KeyboardInterrupt):
            for alert in _as_they_come(client):
                show_json(alert) if as_json else _tell(alert)
        return
    show(
        client.alerts.list(),
        {
            "At": lambda alert: moment(alert.created_at),
            "Event": lambda alert: alert.type,
            "Photo": lambda alert: alert.match.protected_title if alert.match else "",
            "Copy": lambda alert: alert.match.image_address if alert.match else "",
            "Page": _page,
        },
        as_json=as_json,
        limit=limit,
        nothing="There is no alert yet.",
    )


def _first_attempt(client: Client, delivery: Delivery) -> Attempt:
    deadline = time.monotonic() + _PING_SECONDS
    while time.monotonic() < deadline:
        delivery = client.deliveries.get(delivery.id)
        if delivery.attempts:
            return delivery.attempts[0]
        time.sleep(_POLL_SECONDS / 5)
    raise SrpitpError(f"The ping was not sent within {_PING_SECONDS} s.")


def _as_they_come(client: Client) -> Iterator[Alert]:
    """Yield the alerts there are and each new one, oldest first, without end."""
    told: set[str] = set()
    while True:
        new: list[Alert] = []
        for alert in client.alerts.list():  # newest first: behind a known one all are known
            if alert.id in told:
                break
            new.append(alert)
        told.update(alert.id for alert in new)
        yield from reversed(new)
        time.sleep(_POLL_SECONDS)


def _tell(alert: Alert) -> None:
    match = alert.match
    what = f"{match.protected_title}: {match.image_address} on {_page(alert)}" if match else "ping"
    line = f"{moment(alert.created_at)}  {alert.type}  {what}"
    console().print(plain(line), soft_wrap=True)


def _page(alert: Alert) -> str:
    return alert.match.sightings[0].page_address if alert.match and alert.match.sightings else ""
