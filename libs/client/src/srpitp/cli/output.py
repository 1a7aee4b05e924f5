"""What the command prints: tables for people, one JSON object a line for programs."""

import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from itertools import islice
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from srpitp_contracts.model import Model

M = TypeVar("M", bound=Model)

_NO_LIMIT = 10_000

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Limit = Annotated[int, typer.Option(min=1, help="How many to show, newest first.")]


def console() -> Console:
    """Return where answers go: folded to a terminal's width, one row a line for a program."""
    return Console(width=None if sys.stdout.isatty() else _NO_LIMIT)


def complain(message: str) -> None:
    """Say on standard error what is wrong."""
    Console(stderr=True).print(plain(f"srpitp: {message}"), soft_wrap=True)


def plain(value: object) -> Text:
    """Return text as it is: what a site says of itself must not steer the terminal."""
    return Text("".join(char if char.isprintable() else "�" for char in str(value)))


def moment(value: datetime | None) -> str:
    """Return a time in this machine's zone."""
    return value.astimezone().strftime("%Y-%m-%d %H:%M") if value else ""


def show(
    items: Iterable[M],
    columns: Mapping[str, Callable[[M], object]],
    *,
    as_json: bool,
    limit: int,
    nothing: str,
) -> None:
    """Print a list.

    Parameters
    ----------
    items
        What to show.
    columns
        A table's headings, and what stands under each.
    as_json
        For programs.
    limit
        How many at most.
    nothing
        What to say when there is nothing to show.
    """
    found = list(islice(items, limit + 1))
    if as_json:
        for item in found[:limit]:
            show_json(item)
    elif found:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for name in columns:
            table.add_column(name, overflow="fold", no_wrap=name == "Id")  # an id is copied
        for item in found[:limit]:
            table.add_row(*(plain(cell(item)) for cell in columns.values()))
        console().print(table)
    else:
        console().print(nothing)
    if len(found) > limit:
        complain(f"there are more than {limit}; see them with --limit.")


def show_json(item: Model) -> None:
    """Print one thing for programs."""
    typer.echo(item.model_dump_json())
