"""``srpitp matches`` and ``srpitp exclusions``."""

from typing import Annotated

import typer
from pydantic import ValidationError

from srpitp.cli.access import access_of
from srpitp.cli.output import AsJson, Limit, console, moment, plain, show, show_json
from srpitp_contracts.matching import ExclusionRequest, MatchState

exclusions = typer.Typer(
    no_args_is_help=True, help="Images that match too much, such as logos: they alert nobody."
)


def matches(
    context: typer.Context,
    state: Annotated[MatchState | None, typer.Option(help="Only these.")] = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List the copies that were found."""
    show(
        access_of(context).owner.matches.list(state=state),
        {
            "Id": lambda match: match.id,
            "Photo": lambda match: match.protected_title,
            "Copy": lambda match: match.image_address,
            "Verdict": lambda match: match.verdict,
            "Distance": lambda match: f"{match.decision_distance:.3f}",
            "State": lambda match: match.state,
            "By": lambda match: match.decided_by or "",
            "Found": lambda match: moment(match.created_at),
        },
        as_json=as_json,
        limit=limit,
        nothing="No copy was found.",
    )


@exclusions.command()
def add(
    context: typer.Context,
    match_id: Annotated[
        str | None, typer.Argument(help="A match; the image that was found is excluded.")
    ] = None,
    copy: Annotated[str | None, typer.Option(help="Or the id of a detected image.")] = None,
    digest: Annotated[str | None, typer.Option(help="Or the SHA-256 of a file.")] = None,
    note: Annotated[str, typer.Option(help="Why, for whoever asks later.")] = "",
    as_json: AsJson = False,
) -> None:
    """Exclude an image, and what is nearly the same."""
    try:
        request = ExclusionRequest(match_id=match_id, detected_id=copy, digest=digest, note=note)
    except ValidationError as error:
        raise typer.BadParameter("; ".join(item["msg"] for item in error.errors())) from error
    exclusion = access_of(context).admin.exclusions.add(request)
    if as_json:
        show_json(exclusion)
    else:
        named = exclusion.image_address or exclusion.digest
        console().print(plain(f"{named} is exclusion {exclusion.id}"), soft_wrap=True)


@exclusions.command("list")
def list_exclusions(context: typer.Context, limit: Limit = 100, as_json: AsJson = False) -> None:
    """List the excluded images."""
    show(
        access_of(context).admin.exclusions.list(),
        {
            "Id": lambda exclusion: exclusion.id,
            "Image": lambda exclusion: exclusion.image_address or exclusion.digest,
            "Since": lambda exclusion: moment(exclusion.created_at),
            "Note": lambda exclusion: exclusion.note,
        },
        as_json=as_json,
        limit=limit,
        nothing="No image is excluded.",
    )


@exclusions.command()
def remove(
    context: typer.Context,
    exclusion_id: Annotated[str, typer.Argument(help="As 'srpitp exclusions list' shows it.")],
) -> None:
    """End an exclusion; what it suppressed is judged anew."""
    access_of(context).admin.exclusions.remove(exclusion_id)
