"""``srpitp runs``: Spark's part of the work."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from srpitp.cli.access import access_of
from srpitp.cli.output import AsJson, Limit, complain, console, moment, plain, show, show_json
from srpitp.client import Client
from srpitp_contracts.runs import ENDED, Run, RunKind, RunRequest, RunState

_POLL_SECONDS = 0.5

runs = typer.Typer(
    no_args_is_help=True, help="Sweeps over many images at once, done by Spark; administrators'."
)

RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")]
Watch = Annotated[bool, typer.Option("--watch", help="Until it has ended.")]


@runs.command()
def start(
    context: typer.Context,
    kind: Annotated[
        RunKind,
        typer.Argument(
            help="match: compare what was found with all protected photos; fingerprint: describe "
            "images anew whose description is missing or of another version."
        ),
    ] = RunKind.MATCH,
    tag: Annotated[
        list[str] | None, typer.Option(help="Only images with this tag; may be given repeatedly.")
    ] = None,
    all_tags: Annotated[
        bool, typer.Option("--all-tags", help="Compare whatever the tags say, and count the loss.")
    ] = False,
    since: Annotated[
        datetime | None, typer.Option(help="Only images that were first seen since (UTC).")
    ] = None,
    watch: Watch = False,
    as_json: AsJson = False,
) -> None:
    """Start a run."""
    try:
        request = RunRequest(
            kind=kind,
            tags=tag or [],
            all_tags=all_tags,
            since=since and since.replace(tzinfo=since.tzinfo or UTC),
        )
    except ValidationError as error:
        raise typer.BadParameter("; ".join(item["msg"] for item in error.errors())) from error
    client = access_of(context).admin
    run = client.runs.start(request)
    if watch:
        _watch_and_tell(client, run, as_json=as_json)
    elif as_json:
        show_json(run)
    else:
        console().print(plain(f"run {run.id} is {run.state}; srpitp runs watch {run.id}"))


@runs.command("list")
def list_runs(
    context: typer.Context,
    kind: RunKind | None = None,
    state: RunState | None = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List runs."""
    show(
        access_of(context).admin.runs.list(kind=kind, state=state),
        {
            "Id": lambda run: run.id,
            "Kind": lambda run: run.kind,
            "Reason": lambda run: run.reason,
            "State": lambda run: run.state,
            "Created": lambda run: moment(run.created_at),
            "Images": lambda run: run.counts.images,
            "Matches": lambda run: run.counts.matches,
            "Errors": lambda run: run.counts.errors,
        },
        as_json=as_json,
        limit=limit,
        nothing="There was no run yet: srpitp runs start",
    )


@runs.command("show")
def show_run(context: typer.Context, run: RunId, as_json: AsJson = False) -> None:
    """Show a run with all that is known of it."""
    _tell(access_of(context).admin.runs.get(run), as_json=as_json)


@runs.command()
def cancel(context: typer.Context, run: RunId, as_json: AsJson = False) -> None:
    """Cancel a run; the matches that it found stay."""
    cancelled = access_of(context).admin.runs.cancel(run)
    if as_json:
        show_json(cancelled)
    else:
        console().print(plain(f"run {cancelled.id} is {cancelled.state}"))


@runs.command()
def watch(context: typer.Context, run: RunId, as_json: AsJson = False) -> None:
    """Watch a run until it has ended; the exit status is 0 if it finished."""
    client = access_of(context).admin
    _watch_and_tell(client, client.runs.get(run), as_json=as_json)


def _watch_and_tell(client: Client, run: Run, *, as_json: bool) -> None:
    run = _watched(client, run, Console(quiet=True) if as_json else console())
    _tell(run, as_json=as_json)
    if run.state is not RunState.FINISHED:
        raise typer.Exit(1)


def _watched(client: Client, run: Run, out: Console) -> Run:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[counts]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=out, transient=True) as progress:
        bar = progress.add_task(run.state, total=None, counts="")
        while run.state not in ENDED:
            progress.update(
                bar,
                description=run.state,
                completed=run.progress.done,
                total=run.progress.total or None,
                counts=f"{run.counts.images} images, {run.counts.matches} matches",
            )
            time.sleep(_POLL_SECONDS)
            run = client.runs.get(run.id)
    return run


def _tell(run: Run, *, as_json: bool) -> None:
    if as_json:
        show_json(run)
        return
    width = max(len(name) for name, _ in _facts(run))
    for name, value in _facts(run):
        console().print(plain(f"{name:{width}}  {value}"), soft_wrap=True)
    for fault in run.faults:
        complain(f"image {fault.image_id}: {fault.error}")


def _facts(run: Run) -> Iterator[tuple[str, object]]:
    yield "Run", run.id
    yield "Kind", f"{run.kind} ({run.reason})"
    yield "State", run.state
    if run.attempts > 1 or run.failures:
        yield "Attempts", f"{run.attempts}, of which {run.failures} failed"
    if run.progress.total:
        yield "Progress", f"{run.progress.done} of {run.progress.total}"
    for name, value in run.counts.model_dump().items():
        if value:
            yield name.replace("_", " ").capitalize(), f"{value:,}"
    for name, at in (("Created", run.created_at), ("Ended", run.finished_at)):
        if at:
            yield name, moment(at)
    if run.error:
        yield "Error", run.error
    if run.place:
        yield "Place", f"{run.place.name} on {run.place.within}"
        yield "Log", run.place.log
