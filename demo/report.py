"""What the demo shows at its end: a table for the terminal and a page that works offline."""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image
from rich import box
from rich.table import Table

from demo.journey import Row, Step
from demo.photos import ALL, UNRELATED
from srpitp_contracts.crawling import Crawl, Sighting, Statement
from srpitp_contracts.matching import Match

_THUMBNAIL = (440, 440)


@dataclass(frozen=True)
class Findings:
    """Everything that the report tells of."""

    rows: Sequence[Row]
    steps: Sequence[Step]
    crawls: Sequence[Crawl]
    rejected: Sequence[Match]
    complaints: Sequence[str]
    repeats: int
    form: str
    """Whether the services ran as one process or as five."""
    finished_at: datetime

    @property
    def median_delay_ms(self) -> int:
        """Half of the alerts came sooner."""
        return round(median(row.delay_ms for row in self.rows)) if self.rows else 0


def table(findings: Findings) -> Table:
    """Return the terminal's table, one line for each copy."""
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("copy", "alteration", "verdict"):
        drawn.add_column(heading, no_wrap=True)
    for heading in ("distance", "decision", "delay"):
        drawn.add_column(heading, justify="right", no_wrap=True)
    for heading in ("alerted", "page", "uploader (source)", "time (source)"):
        drawn.add_column(heading)
    for row in findings.rows:
        match, seen = row.match, first_sighting(row)
        drawn.add_row(
            row.copy.name,
            row.copy.kind,
            match.verdict,
            f"{match.distance:.3f}",
            f"{match.decision_distance:.3f}",
            f"{row.delay_ms} ms",
            how_decided(match),
            "\n".join(path_of(sighting.page_address) for sighting in match.sightings),
            said(seen.uploader) if seen else "not stated",
            said(seen.uploaded_at, day) if seen else "not stated",
        )
    return drawn


def write_html(findings: Findings, pictures: Mapping[str, bytes], path: Path) -> None:
    """Write the report; ``pictures`` has the photos by key and the copies by name."""
    environment = Environment(
        loader=PackageLoader("demo"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"said": said, "day": day, "path": path_of, "decided": how_decided}
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
    return "at once" if (match.decided_by or "").startswith("rule:") else "after review"


def said(statement: Statement | None, show: Callable[[str], str] = str) -> str:
    """Return what a page says and where it says it."""
    return f"{show(statement.value)} ({statement.source})" if statement else "not stated"


def day(moment: str) -> str:
    """Return a moment to the minute, as it was stated."""
    return f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M %Z}"


def path_of(address: str) -> str:
    """Return an address without its scheme and host."""
    return "/" + address.split("/", 3)[3]


def _thumbnail(data: bytes) -> str:
    with Image.open(io.BytesIO(data)) as image:
        small = image.convert("RGB")
    small.thumbnail(_THUMBNAIL)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
