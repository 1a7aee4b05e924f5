"""``python -m demo``: the whole journey, a table, and a report; status 0 if all went as it must."""

import argparse
import asyncio
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.markup import escape

from demo.inventory import inventory
from demo.journey import Step
from demo.patience import JourneyError
from demo.report import Findings, table, write_html
from demo.stage import staged
from demo.system import SystemFailedError
from srpitp import SrpitpError
from srpitp_servicekit.embedded import EmbeddedMongoError

_MARK = ".made-by-the-demo"
_WIDTH_OF_THE_TABLE = 160


class Interruption:
    """Ctrl-C, noted at once and raised between two steps.

    Raised by the signal's handler it would come up wherever the program is, and a library that
    makes an error of its own of it, or a child process that was started but not yet written
    down, would be left behind. And a second Ctrl-C cannot break off the ending.
    """

    def __init__(self) -> None:
        self._asked = False

    def ask(self, _signal: int, _frame: FrameType | None) -> None:
        """Take a signal."""
        self._asked = True

    def check(self) -> None:
        """Raise `KeyboardInterrupt` when a signal came."""
        if self._asked:
            raise KeyboardInterrupt


def main(check: Callable[[], None] = lambda: None) -> int:
    """Run the demo and return the exit status.

    Parameters
    ----------
    check
        Called between steps and while waiting; raises `KeyboardInterrupt` to end it all.
    """
    options = _parse()
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH_OF_THE_TABLE
    try:
        folder = _emptied(options.out)
        findings = run(folder, console, separate=options.separate, check=check)
    except KeyboardInterrupt:
        console.print("ended before its time")
        return 130
    except (EmbeddedMongoError, JourneyError, OSError, SrpitpError, SystemFailedError) as error:
        console.print(f"[red]failed:[/] {escape(str(error))}")
        return 1
    console.print(table(findings))
    for complaint in findings.complaints:
        console.print(f"[red]wrong:[/] {escape(complaint)}")
    if not findings.complaints:
        found = len(findings.rows)
        console.print(
            f"[green]All {found} copies were alerted exactly once, and nothing else was.[/]"
        )
    console.print(f"report: {folder / 'report.html'}")
    return 1 if findings.complaints else 0


def run(
    folder: Path,
    console: Console,
    *,
    separate: bool = False,
    check: Callable[[], None] = lambda: None,
) -> Findings:
    """Start everything, go the journey, end everything, and write down what was found."""
    began = time.monotonic()

    def show(step: Step) -> None:
        console.print(
            f"[dim]{time.monotonic() - began:6.1f} s[/]  [bold]{step.numbers:>5}[/]  "
            f"{escape(step.text)}: {escape(step.found)} [dim]({step.seconds:.1f} s)[/]"
        )

    form = "five processes" if separate else "one process"
    console.print(f"Starting MongoDB and the services ({form}) ...")
    with staged(folder, separate=separate, report=show, check=check) as stage:
        try:
            stage.journey.run()
            findings = Findings.of(stage, form)
        except (JourneyError, SrpitpError):
            console.print(escape(stage.system.log_tails()))
            raise
        (folder / "mongodb.txt").write_text(asyncio.run(inventory(stage.system.mongodb_uri)))
    write_html(findings, stage.website, folder / "report.html")
    return findings


def _emptied(folder: Path) -> Path:
    """Return the folder, fresh; what the demo did not make is not thrown away."""
    if folder.exists() and any(folder.iterdir()) and not (folder / _MARK).exists():
        raise FileExistsError(f"{folder} holds things that the demo did not make")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / _MARK).touch()
    return folder.absolute()


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m demo", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="emptied first")
    parser.add_argument("--separate", action="store_true", help="five processes instead of one")
    return parser.parse_args()


if __name__ == "__main__":
    interruption = Interruption()
    signal.signal(signal.SIGINT, interruption.ask)
    signal.signal(signal.SIGTERM, interruption.ask)
    sys.exit(main(interruption.check))
