"""``srpitp up``: everything on this machine."""

import importlib.util
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from srpitp.cli.access import DEFAULT_DATA_DIR, access_of
from srpitp.cli.output import console
from srpitp.errors import SrpitpError

_ONEBOX = "services.onebox"


def up(
    context: typer.Context,
    data_dir: Annotated[
        Path | None, typer.Option(help=f"Where everything is kept.  [default: {DEFAULT_DATA_DIR}]")
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
) -> None:
    """Run everything on this machine: database, services, one port; end it with Ctrl-C."""
    if importlib.util.find_spec("services") is None:
        raise SrpitpError("The services are not installed here, only the client is.")
    folder = (data_dir or access_of(context).data_dir).expanduser().absolute()
    console().print(_welcome(folder, f"http://{host}:{port}"), highlight=False, soft_wrap=True)
    # What is no error need not be told to the person at the terminal.
    environment = {"SRPITP_LOG_LEVEL": "WARNING", **os.environ}
    where = ["--data-dir", str(folder), "--port", str(port), "--host", host]
    sys.stdout.flush()
    # In our place, not as a child: one process to end, and nothing left when it is killed.
    os.execve(  # noqa: S606
        sys.executable, [sys.executable, "-m", _ONEBOX, *where], environment
    )


def _welcome(folder: Path, url: str) -> str:
    is_default = folder == DEFAULT_DATA_DIR.expanduser()
    export = "" if is_default else f"\n  export SRPITP_DATA_DIR={escape(str(folder))}"
    return f"""[bold]srpitp[/bold] starts on {url}   [dim](end it with Ctrl-C)[/dim]
Data and keys lie in {escape(str(folder))} [dim](keys/admin is the administrator's key)[/dim]

Then, in another terminal:{export}
  srpitp protect ~/Pictures              [dim]# your photos[/dim]
  srpitp sites add https://example.com   [dim]# where to look for copies[/dim]
  srpitp crawl --wait                    [dim]# look now[/dim]
  srpitp matches                         [dim]# what was found[/dim]
  srpitp review                          [dim]# say which of the similar ones are copies[/dim]
"""
