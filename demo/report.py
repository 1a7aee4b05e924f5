"""What the demo shows at its end: a table for the terminal and a page that works offline."""

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Self

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image
from rich import box
from rich.markup import escape
from rich.table import Table

from demo.journey import Row, Step, is_noted_at_once
from demo.pages import Website
from demo.photos import ALL, UNRELATED
from demo.stage import Stage
from srpitp_contracts.crawling import Crawl, Sighting, Statement
from srpitp_contracts.matching import Match

_THUMBNAIL = (440, 440)


@dataclass(frozen=True)
class Findings:
    """Everything that the report tells of."""

    rows: Sequence[Row]
    steps: Sequence[Step]
    crawls: Sequence[Crawl]
    registered: int
    """How many photos are protected."""
    rejected: Sequence[Match]
    complaints: Sequence[str]
    repeats: int
    form: str
    """Whether the services ran as one process or as five."""
    finished_at: datetime

    @classmethod
    def of(cls, stage: Stage, form: str) -> Self:
        """Gather what a journey found."""
        journey = stage.journey
        return cls(
            rows=journey.rows(),
            steps=journey.steps,
            crawls=journey.crawls,
            registered=len(journey.protected),
            rejected=journey.rejected,
            complaints=journey.complaints,
            repeats=stage.receiver.repeats,
            form=form,
            finished_at=datetime.now(UTC),
        )

    @property
    def median_delay_ms(self) -> int:
        """Half of the alerts came sooner."""
        return round(median(row.delay_ms for row in self.rows)) if self.rows else 0


def table(findings: Findings) -> Table:
    """Return the terminal's table, two lines for each copy."""
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    drawn.add_column("copy\nalteration", no_wrap=True)
    drawn.add_column("verdict\nalerted", no_wrap=True)
    drawn.add_column("distance\ndecision", justify="right", no_wrap=True)
    drawn.add_column("pages", overflow="fold")
    drawn.add_column("uploader\nstated in", overflow="fold")
    drawn.add_column("time\nstated in", overflow="fold")
    drawn.add_column("delay", justify="right", no_wrap=True)
    for row in findings.rows:
        match, seen = row.match, first_sighting(row)
        drawn.add_row(
            f"{row.copy.name}\n[dim]{row.copy.kind}[/]",
            f"{match.verdict}\n[dim]{how_decided(match)}[/]",
            f"{match.distance:.3f}\n[dim]{match.decision_distance:.3f}[/]",
            "\n".join(path_of(sighting.page_address) for sighting in match.sightings),
            _two_lines(seen.uploader if seen else None),
            _two_lines(seen.uploaded_at if seen else None, minute),
            f"{row.delay_ms} ms",
        )
    return drawn


def write_html(findings: Findings, website: Website, path: Path) -> None:
    """Write the report, with all its pictures inside."""
    environment = Environment(
        loader=PackageLoader("demo"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"minute": minute, "path": path_of, "decided": how_decided}
    pictures = {photo.key: photo.read() for photo in ALL} | {
        row.copy.name: website.image(row.copy.name) for row in findings.rows
    }
    environment.tests["at_once"] = is_noted_at_once
    html = environment.get_template("report.html.j2").render(
        findings=findings,
        photos={photo.key: photo for photo in ALL},
        unrelated=UNRELATED,
        thumbnails={name: _thumbnail(data) for name, data in pictures.items()},
    )
    path.write_text(html)


def first_sighting(row: Row) -> Sighting | None:
    """Return the page on which the copy was seen first."""
    return min(row.match.sightings, key=lambda seen: seen.first_seen, default=None)


def how_decided(match: Match) -> str:
    """Return who noted the match."""
    return "at once" if is_noted_at_once(match) else "after review"


def minute(moment: str) -> str:
    """Return a moment to the minute."""
    return f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M %Z}"


def path_of(address: str) -> str:
    """Return an address without its scheme and host."""
    return "/" + address.split("/", 3)[3]


def _two_lines(statement: Statement | None, show: Callable[[str], str] = str) -> str:
    if statement is None:
        return "not stated"
    return f"{escape(show(statement.value))}\n[dim]{escape(statement.source)}[/]"


def _thumbnail(data: bytes) -> str:
    with Image.open(io.BytesIO(data)) as image:
        small = image.convert("RGB")
    small.thumbnail(_THUMBNAIL)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
