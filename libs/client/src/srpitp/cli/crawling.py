"""``srpitp sites`` and ``srpitp crawl``."""

import time
from collections.abc import Callable, Iterator
from itertools import takewhile
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.live import Live
from rich.table import Table

from srpitp.cli.access import access_of
from srpitp.cli.output import AsJson, Limit, complain, console, moment, plain, show, show_json
from srpitp.client import Client
from srpitp.errors import SrpitpError
from srpitp_contracts.crawling import (
    Crawl,
    CrawlCounts,
    CrawlState,
    DetectedImage,
    DetectedState,
    Site,
    SiteRequest,
)

_POLL_SECONDS = 0.5
_ENDED = frozenset({CrawlState.FINISHED, CrawlState.FAILED})
_COUNTS: dict[str, Callable[[CrawlCounts], int]] = {
    "Pages": lambda counts: counts.pages_fetched + counts.pages_unchanged,
    "Images": lambda counts: counts.images_fetched + counts.images_unchanged,
    "Unchanged": lambda counts: counts.images_unchanged,
    "New": lambda counts: counts.images_new,
    "Refused": lambda counts: counts.images_refused,
    "Failed": lambda counts: counts.requests_failed,
}

sites = typer.Typer(no_args_is_help=True, help="The sites on which copies are looked for.")


@sites.command()
def add(
    context: typer.Context,
    address: Annotated[str, typer.Argument(help="Where a crawl starts.")],
    name: str = "",
    every: Annotated[int, typer.Option(help="Seconds from one crawl to the next.")] = 86_400,
    max_pages: int = 10_000,
    max_depth: int = 10,
    robots: Annotated[bool, typer.Option(help="Do as the site's robots.txt says.")] = True,
    as_json: AsJson = False,
) -> None:
    """Have a site monitored."""
    try:
        request = SiteRequest.model_validate(
            {
                "address": address,
                "name": name,
                "interval_seconds": every,
                "max_pages": max_pages,
                "max_depth": max_depth,
                "obey_robots": robots,
            }
        )
    except ValidationError as error:
        raise typer.BadParameter("; ".join(item["msg"] for item in error.errors())) from error
    site = access_of(context).admin.sites.add(request)
    if as_json:
        show_json(site)
    else:
        console().print(plain(f"{site.address} is monitored as {site.id}"), soft_wrap=True)


@sites.command("list")
def list_sites(context: typer.Context, limit: Limit = 100, as_json: AsJson = False) -> None:
    """List the monitored sites."""
    show(
        access_of(context).admin.sites.list(),
        {
            "Id": lambda site: site.id,
            "Address": lambda site: site.address,
            "Name": lambda site: site.name,
            "Next crawl": lambda site: moment(site.next_crawl_at),
        },
        as_json=as_json,
        limit=limit,
        nothing="No site is monitored yet: srpitp sites add ADDRESS",
    )


def crawl(
    context: typer.Context,
    site: Annotated[
        str | None, typer.Argument(help="Its id, address or name; every site if none.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Until all that was found has been compared.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Visit sites now, whenever their next crawl is due."""
    client = access_of(context).admin
    chosen = [found for found in client.sites.list() if site is None or _is_called(found, site)]
    if not chosen:
        raise SrpitpError(f"No such site: {site}." if site else "No site is monitored yet.")
    crawls = [client.sites.crawl(found.id) for found in chosen]
    addresses = {found.id: found.address for found in chosen}
    if wait:
        out = Console(quiet=True) if as_json else console()
        crawls = _watch(client, crawls, addresses, out)
        _wait_until_compared(client, crawls, out)
    elif not as_json:
        console().print(_progress(crawls, addresses))
    if as_json:
        for each in crawls:
            show_json(each)
    failed = [each for each in crawls if each.state is CrawlState.FAILED]
    for each in failed:
        complain(f"crawl {each.id} failed: {each.error}")
    if failed:
        raise typer.Exit(1)


def _is_called(site: Site, name: str) -> bool:
    return name in {site.id, site.name} or name.rstrip("/") == site.address.rstrip("/")


def _watch(
    client: Client, crawls: list[Crawl], addresses: dict[str, str], out: Console
) -> list[Crawl]:
    """Show what crawls do until they have ended."""
    with Live(_progress(crawls, addresses), console=out) as live:
        while not all(each.state in _ENDED for each in crawls):
            time.sleep(_POLL_SECONDS)
            crawls = [client.crawls.get(each.id) for each in crawls]
            live.update(_progress(crawls, addresses))
    return crawls


def _progress(crawls: list[Crawl], addresses: dict[str, str]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("Site", "State", *_COUNTS):
        table.add_column(name, overflow="fold")
    for each in crawls:
        counts = (str(count(each.counts)) for count in _COUNTS.values())
        table.add_row(plain(addresses[each.site_id]), each.state, *counts)
    return table


def _wait_until_compared(client: Client, crawls: list[Crawl], out: Console) -> None:
    """Return when the matcher has seen every new image, so that ``srpitp matches`` tells all."""
    with out.status("comparing what was found"):
        for each in crawls:
            while any(image.state is DetectedState.WAITING for image in _found_by(client, each)):
                time.sleep(_POLL_SECONDS)


def _found_by(client: Client, crawl: Crawl) -> Iterator[DetectedImage]:
    found = client.detected.list(site_id=crawl.site_id)  # newest first
    return takewhile(lambda image: image.first_seen >= crawl.created_at, found)
