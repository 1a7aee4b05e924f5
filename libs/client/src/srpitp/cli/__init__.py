"""The ``srpitp`` command."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from srpitp.cli import (
    alerting,
    allowances,
    crawling,
    matching,
    registration,
    reviewing,
    runs,
    searching,
)
from srpitp.cli.access import DEFAULT_DATA_DIR, Access
from srpitp.cli.output import complain
from srpitp.cli.up import up
from srpitp.errors import SrpitpError, UnreachableError


class _Group(TyperGroup):
    """Says in one sentence what went wrong."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except UnreachableError as error:
            complain(f"{error} Is 'srpitp up' running?")
        except SrpitpError as error:
            complain(str(error))
        raise typer.Exit(1)


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Finds stolen copies of your photos.",
)


@app.callback()
def main(
    context: typer.Context,
    url: Annotated[str | None, typer.Option(envvar="SRPITP_URL", help="Where SRPITP is.")] = None,
    key: Annotated[str | None, typer.Option(envvar="SRPITP_KEY", help="An API key.")] = None,
    data_dir: Annotated[
        Path,
        typer.Option(
            envvar="SRPITP_DATA_DIR",
            help="Where 'srpitp up' keeps its data; without --url and --key, they lie there.",
        ),
    ] = DEFAULT_DATA_DIR,
) -> None:
    """Take what every command needs."""
    context.obj = Access(url, key, data_dir.expanduser())
    context.call_on_close(context.obj.close)


app.command()(up)
app.command()(registration.protect)
app.command()(registration.images)
app.add_typer(crawling.sites, name="sites")
app.command()(crawling.crawl)
app.command()(matching.matches)
app.command()(reviewing.review)
app.command()(reviewing.undo)
app.add_typer(matching.exclusions, name="exclusions")
app.add_typer(allowances.allowances, name="allowances")
app.add_typer(allowances.owners, name="owners")
app.command()(searching.search)
app.command()(searching.thresholds)
app.add_typer(runs.runs, name="runs")
app.add_typer(alerting.webhooks, name="webhooks")
app.command()(alerting.alerts)
