"""``srpitp allowances`` and ``srpitp owners``: what an owner is alerted of."""

from datetime import datetime
from typing import Annotated

import typer
from pydantic import ValidationError

from srpitp.cli.access import access_of
from srpitp.cli.output import AsJson, Limit, console, moment, plain, show, show_json
from srpitp.client import Client
from srpitp.errors import SrpitpError
from srpitp_contracts.allowances import Allowance, AllowanceKind, AllowanceRequest
from srpitp_contracts.registration import AlertPolicy, OwnerChange

allowances = typer.Typer(
    no_args_is_help=True, help="Where your photos may be shown: matches there alert nobody."
)
owners = typer.Typer(no_args_is_help=True, help="Whose photos are protected.")

_Owner = Annotated[
    str | None, typer.Option(help="An owner's id, for administrators; yourself, if none.")
]
_IN_THIS_ZONE = "In this machine's zone."


@allowances.command()
def add(
    context: typer.Context,
    where: Annotated[
        str,
        typer.Argument(
            help="A host, with its subdomains (example.org), or an address and all below it "
            "(https://example.org/blog)."
        ),
    ],
    uploader: Annotated[
        str | None, typer.Option(help="Only what pages there say that this one published.")
    ] = None,
    image: Annotated[
        list[str] | None, typer.Option(help="Only these protected photos; repeatable.")
    ] = None,
    begins: Annotated[datetime | None, typer.Option("--from", help=_IN_THIS_ZONE)] = None,
    until: Annotated[datetime | None, typer.Option(help=_IN_THIS_ZONE)] = None,
    note: Annotated[str, typer.Option(help="Such as the licence.")] = "",
    owner: _Owner = None,
    as_json: AsJson = False,
) -> None:
    """Say where your photos may be shown."""
    try:
        request = AllowanceRequest.model_validate(
            {
                **_named(where, uploader),
                "image_ids": image or [],
                "valid_from": begins and begins.astimezone(),
                "valid_until": until and until.astimezone(),
                "note": note,
            }
        )
    except ValidationError as error:
        raise typer.BadParameter("; ".join(item["msg"] for item in error.errors())) from error
    made = _client(context, owner).allowances.add(request, owner_id=owner)
    if as_json:
        show_json(made)
    else:
        console().print(plain(f"{_covered(made)} is allowance {made.id}"), soft_wrap=True)


@allowances.command("list")
def list_allowances(
    context: typer.Context, owner: _Owner = None, limit: Limit = 100, as_json: AsJson = False
) -> None:
    """List the allowances, also those that are over or still to come."""
    show(
        _client(context, owner).allowances.list(owner_id=owner),
        {
            "Id": lambda allowance: allowance.id,
            "What": _covered,
            "Photos": lambda allowance: len(allowance.image_ids) or "all",
            "From": lambda allowance: moment(allowance.valid_from),
            "Until": lambda allowance: moment(allowance.valid_until),
            "Note": lambda allowance: allowance.note,
        },
        as_json=as_json,
        limit=limit,
        nothing="There is no allowance: srpitp allowances add HOST",
    )


@allowances.command()
def remove(
    context: typer.Context,
    allowance_id: Annotated[str, typer.Argument(help="As 'srpitp allowances list' shows it.")],
) -> None:
    """End an allowance; what only it covered is alerted."""
    access_of(context).owner.allowances.remove(allowance_id)


@owners.command("list")
def list_owners(context: typer.Context, limit: Limit = 100, as_json: AsJson = False) -> None:
    """List the owners, for administrators."""
    show(
        access_of(context).admin.owners.list(),
        {
            "Id": lambda owner: owner.id,
            "Name": lambda owner: owner.name,
            "Alerted of": lambda owner: owner.alert_policy,
            "Since": lambda owner: moment(owner.created_at),
        },
        as_json=as_json,
        limit=limit,
        nothing="There is no owner yet.",
    )


@owners.command()
def policy(
    context: typer.Context,
    wanted: Annotated[AlertPolicy, typer.Argument(help="What to be alerted of.")],
    owner: _Owner = None,
) -> None:
    """Choose whether to be alerted of confirmed matches, or also of those in review."""
    client = _client(context, owner)
    changed = client.owners.change(owner or _own_id(client), OwnerChange(alert_policy=wanted))
    console().print(plain(f"{changed.name} is alerted of {changed.alert_policy}"), soft_wrap=True)


def _client(context: typer.Context, owner: str | None) -> Client:
    return access_of(context).admin if owner else access_of(context).owner


def _own_id(client: Client) -> str:
    owned = {key.owner_id for key in client.keys.list()}
    if len(owned) != 1 or not (own := owned.pop()):
        raise SrpitpError("This key belongs to no owner; name one with --owner.")
    return own


def _named(where: str, uploader: str | None) -> dict[str, object]:
    if uploader is not None:
        return {"kind": AllowanceKind.UPLOADER, "value": uploader, "on": where}
    kind = AllowanceKind.PAGE_PREFIX if "://" in where else AllowanceKind.SITE
    return {"kind": kind, "value": where}


def _covered(allowance: Allowance) -> str:
    return f"{allowance.value} on {allowance.on}" if allowance.on else allowance.value
