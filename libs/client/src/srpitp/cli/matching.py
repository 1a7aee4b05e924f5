"""``srpitp matches`` and ``srpitp review``."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from srpitp.cli.access import access_of
from srpitp.cli.output import AsJson, Limit, console, moment, plain, show
from srpitp.client import Client
from srpitp.crawling import Detected
from srpitp.errors import ApiError
from srpitp.registration import Images
from srpitp_contracts.crawling import Statement
from srpitp_contracts.matching import MatchState, MatchWithSightings, ReviewDecision

_ANSWERS = {"y": ReviewDecision.CONFIRM, "n": ReviewDecision.REJECT}
_Note = Annotated[str, typer.Option(help="Why, for whoever asks later.")]


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
            "Found": lambda match: moment(match.created_at),
        },
        as_json=as_json,
        limit=limit,
        nothing="No copy was found.",
    )


def review(
    context: typer.Context,
    match_id: Annotated[
        str | None, typer.Argument(help="One match; all that wait, one by one, if none.")
    ] = None,
    decision: Annotated[
        bool | None, typer.Option("--confirm/--reject", help="Without being asked.")
    ] = None,
    all_below: Annotated[
        float | None, typer.Option(min=0, max=1, help="Confirm all that are nearer than this.")
    ] = None,
    note: _Note = "",
) -> None:
    """Say of matches that are similar only whether they are copies."""
    client = access_of(context).admin
    if all_below is not None:
        if match_id or decision is not None:
            raise typer.BadParameter("--all-below stands alone: it confirms what is near")
        _confirm_below(client, all_below, note)
    elif match_id is None:
        if decision is not None:
            raise typer.BadParameter("--confirm and --reject need a match")
        _review_queue(client, note)
    elif decision is None:
        with tempfile.TemporaryDirectory(prefix="srpitp-review-") as folder:
            _review_one(client, client.matches.get(match_id), Path(folder), note)
    else:
        _decide(
            client, match_id, ReviewDecision.CONFIRM if decision else ReviewDecision.REJECT, note
        )


def _confirm_below(client: Client, distance: float, note: str) -> None:
    waiting = list(client.matches.list(state=MatchState.IN_REVIEW))
    near = [match for match in waiting if match.decision_distance < distance]
    for match in near:
        _decide(client, match.id, ReviewDecision.CONFIRM, note)
    console().print(f"{len(waiting) - len(near)} still wait for a review")


def _review_queue(client: Client, note: str) -> None:
    waiting = sorted(
        client.matches.list(state=MatchState.IN_REVIEW), key=lambda match: match.decision_distance
    )
    if not waiting:
        console().print("Nothing waits for a review.")
    with tempfile.TemporaryDirectory(prefix="srpitp-review-") as folder:
        for number, match in enumerate(waiting, 1):
            console().print(f"\n[bold]{number} of {len(waiting)}[/bold]")
            if not _review_one(client, client.matches.get(match.id), Path(folder), note):
                return


def _review_one(client: Client, match: MatchWithSightings, folder: Path, note: str) -> bool:
    """Show a match and ask; return False when the reviewer has had enough."""
    _show_match(client, match, folder)
    answer: str = typer.prompt(
        "A copy? [y]es, [n]o, [s]kip, [q]uit", default="s", show_default=False
    )
    choice = answer.strip().lower()[:1]
    if choice in _ANSWERS:
        _decide(client, match.id, _ANSWERS[choice], note)
    return choice != "q"


def _decide(client: Client, match_id: str, decision: ReviewDecision, note: str) -> None:
    reviewed = client.matches.review(match_id, decision, note=note)
    console().print(plain(f"{reviewed.state}: {reviewed.image_address}"), soft_wrap=True)


def _show_match(client: Client, match: MatchWithSightings, folder: Path) -> None:
    rows: list[tuple[str, object]] = [
        ("Distance", f"{match.decision_distance:.3f}, similar up to {match.threshold:.3f}"),
        ("Photo", match.protected_title),
        ("", _picture(folder, client.images, match.protected_id)),
        ("Copy", match.image_address),
        ("", _picture(folder, client.detected, match.detected_id)),
    ]
    for sighting in match.sightings:
        rows += [
            ("Page", sighting.page_address),
            ("Title", sighting.page_title or ""),
            ("Uploader", _said(sighting.uploader)),
            ("Uploaded", _said(sighting.uploaded_at)),
        ]
    for name, value in rows:
        if value:
            console().print(Text(f"{name:10}", style="bold"), plain(value), soft_wrap=True)


def _said(statement: Statement | None) -> str:
    return f"{statement.value} ({statement.source})" if statement else ""


def _picture(folder: Path, pictures: Images | Detected, picture_id: str) -> str:
    """Return a link to a copy of a picture on this machine: a browser has no key to fetch it."""
    try:
        path = folder / f"{picture_id}.{pictures.get(picture_id).format}"
        path.write_bytes(pictures.file(picture_id))
    except ApiError as error:
        return error.problem.detail
    return path.as_uri()
