"""``srpitp review`` and ``srpitp undo``."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.text import Text

from srpitp.cli.access import access_of
from srpitp.cli.output import console, plain
from srpitp.client import Client
from srpitp.crawling import Detected
from srpitp.errors import ApiError
from srpitp.registration import Images
from srpitp_contracts.crawling import Statement
from srpitp_contracts.matching import (
    BulkReviewRequest,
    MatchWithSightings,
    ReviewDecision,
    ReviewItem,
)
from srpitp_contracts.model import utc_now

_ANSWERS = {"y": ReviewDecision.CONFIRM, "n": ReviewDecision.REJECT}
_Note = Annotated[str, typer.Option(help="Why, for whoever asks later.")]
_MatchId = Annotated[str, typer.Argument(help="As 'srpitp matches' shows it.")]


def review(
    context: typer.Context,
    match_id: Annotated[
        str | None, typer.Argument(help="One match; all that wait, one by one, if none.")
    ] = None,
    decision: Annotated[
        bool | None, typer.Option("--confirm/--reject", help="Without being asked.")
    ] = None,
    page: Annotated[str | None, typer.Option(help="All that this page shows.")] = None,
    site: Annotated[str | None, typer.Option(help="All on this host and its subdomains.")] = None,
    uploader: Annotated[str | None, typer.Option(help="All by whom a page names so.")] = None,
    owner: Annotated[str | None, typer.Option(help="All of this owner's photos.")] = None,
    photo: Annotated[str | None, typer.Option(help="All of this protected photo.")] = None,
    copy: Annotated[str | None, typer.Option(help="All of this detected image.")] = None,
    all_below: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="All that are nearer; to be confirmed, if alone."),
    ] = None,
    note: _Note = "",
) -> None:
    """Say of matches that are similar only whether they are copies.

    Conditions such as --site are for all that meet every one of them, together with --confirm or
    --reject.
    """
    client = access_of(context).admin
    meant = {
        "page_address": page,
        "site": site,
        "uploader": uploader,
        "owner_id": owner,
        "protected_id": photo,
        "detected_id": copy,
        "nearer_than": all_below,
    }
    meant = {name: value for name, value in meant.items() if value is not None}
    if meant:
        if match_id:
            raise typer.BadParameter("name a match, or conditions, not both")
        if decision is None and list(meant) != ["nearer_than"]:
            raise typer.BadParameter("say --confirm or --reject of all that meet the conditions")
        _review_many(client, meant, _said_as(decision is not False), note)
    elif match_id is None:
        if decision is not None:
            raise typer.BadParameter("--confirm and --reject need a match, or conditions")
        _review_queue(client, note)
    elif decision is None:
        with tempfile.TemporaryDirectory(prefix="srpitp-review-") as folder:
            _review_one(client, client.matches.get(match_id), Path(folder), note)
    else:
        _decide(client, match_id, _said_as(decision), note)


def undo(context: typer.Context, match_id: _MatchId, note: _Note = "") -> None:
    """Put a match that was confirmed or rejected back into review.

    An alert that was sent cannot be unsent: its owner is told that it is withdrawn.
    """
    match = access_of(context).admin.matches.undo(match_id, note=note)
    console().print(plain(f"{match.state}: {match.image_address}"), soft_wrap=True)


def _said_as(confirm: bool) -> ReviewDecision:
    return ReviewDecision.CONFIRM if confirm else ReviewDecision.REJECT


def _review_many(
    client: Client, meant: Mapping[str, object], decision: ReviewDecision, note: str
) -> None:
    try:
        request = BulkReviewRequest.model_validate(
            {**meant, "decision": decision, "note": note, "found_before": utc_now()}
        )
    except ValidationError as error:
        raise typer.BadParameter("; ".join(item["msg"] for item in error.errors())) from error
    decided = sum(outcome.decided for outcome in client.reviews.decide(request))
    waiting = sum(len(item.candidates) for item in client.reviews.list())
    done = "confirmed" if decision is ReviewDecision.CONFIRM else "rejected"
    console().print(f"{decided} {done}, {waiting} still wait for a review")


def _review_queue(client: Client, note: str) -> None:
    waiting = list(client.reviews.list())
    if not waiting:
        console().print("Nothing waits for a review.")
    with tempfile.TemporaryDirectory(prefix="srpitp-review-") as folder:
        for number, item in enumerate(waiting, 1):
            console().print(f"\n[bold]{number} of {len(waiting)}[/bold]")
            if not _review_item(client, item, Path(folder), note):
                return


def _review_item(client: Client, item: ReviewItem, folder: Path, note: str) -> bool:
    """Ask of every photo that a copy may show, the nearest first."""
    return all(
        _review_one(
            client,
            MatchWithSightings(**match.model_dump(), sightings=item.sightings),
            folder,
            note,
        )
        for match in item.candidates
    )


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
        ("Aligned", _aligned(folder, client, match.id)),
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


def _aligned(folder: Path, client: Client, match_id: str) -> str:
    """Return a link to a picture in which both are laid upon each other."""
    try:
        path = folder / f"{match_id}.jpg"
        path.write_bytes(client.matches.picture(match_id))
    except ApiError as error:
        return error.problem.detail
    return path.as_uri()
