"""``srpitp protect`` and ``srpitp images``."""

import mimetypes
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from srpitp.cli.access import access_of
from srpitp.cli.output import AsJson, Limit, console, moment, plain, show
from srpitp.client import Client
from srpitp.errors import ApiError
from srpitp_contracts.problems import ProblemCode


class _Outcome(NamedTuple):
    """What became of one file."""

    path: Path
    notes: list[str]
    is_new: bool = False
    refusal: str | None = None


def protect(
    context: typer.Context,
    paths: Annotated[
        list[Path], typer.Argument(exists=True, help="Photos, and folders with photos in them.")
    ],
    jobs: Annotated[int, typer.Option(min=1, max=32, help="How many at the same time.")] = 4,
) -> None:
    """Put photos under protection."""
    client = access_of(context).owner
    files = sorted(set(_photos(paths)))
    outcomes = sorted(_protect_all(client, files, jobs))
    refused = [outcome for outcome in outcomes if outcome.refusal]
    new = sum(outcome.is_new for outcome in outcomes)
    out = console()
    for outcome in outcomes:
        for note in outcome.notes:
            out.print(plain(f"{outcome.path}: {note}"), soft_wrap=True)
    for outcome in refused:
        out.print(plain(f"refused: {outcome.path}: {outcome.refusal}"), soft_wrap=True)
    known = len(outcomes) - new - len(refused)
    out.print(f"{new} protected, {known} protected already, {len(refused)} refused")
    if refused:
        raise typer.Exit(1)


def images(context: typer.Context, limit: Limit = 100, as_json: AsJson = False) -> None:
    """List the protected photos."""
    show(
        access_of(context).owner.images.list(),
        {
            "Id": lambda image: image.id,
            "Title": lambda image: image.title,
            "Size": lambda image: f"{image.width} x {image.height} {image.format}",
            "Since": lambda image: moment(image.protected_from),
            "Until": lambda image: moment(image.protected_until),
            "Note": lambda image: " ".join(image.notes),
        },
        as_json=as_json,
        limit=limit,
        nothing="No photo is protected yet: srpitp protect PATH",
    )


def _photos(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files that are named, and those in folders whose names say that they are images."""
    for path in paths:
        if path.is_dir():
            yield from filter(_looks_like_image, path.rglob("*"))
        else:
            yield path


def _looks_like_image(path: Path) -> bool:
    kind, _ = mimetypes.guess_type(path.name, strict=False)
    return kind is not None and kind.startswith("image/") and path.is_file()


def _protect_all(client: Client, files: list[Path], jobs: int) -> Iterator[_Outcome]:
    out = console()
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=out, transient=True, disable=not out.is_terminal)
    with bar as progress, ThreadPoolExecutor(jobs) as pool:
        task = progress.add_task("", total=len(files))
        futures = [pool.submit(_protect_one, client, path) for path in files]
        try:
            for future in as_completed(futures):
                progress.advance(task)
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _protect_one(client: Client, path: Path) -> _Outcome:
    try:
        image = client.images.protect(path.read_bytes(), title=path.name)
    except OSError as error:
        return _Outcome(path, [], refusal=error.strerror or str(error))
    except ApiError as error:
        match error.problem.code:
            case ProblemCode.ALREADY_PROTECTED:
                return _Outcome(path, [])
            case code if code.startswith("image_") or code is ProblemCode.INVALID_REQUEST:
                return _Outcome(path, [], refusal=error.problem.detail)
            case _:  # no fault of this file: the next one would meet it too
                raise
    return _Outcome(path, image.notes, is_new=True)
