"""``srpitp search`` and ``srpitp thresholds``."""

from pathlib import Path
from typing import Annotated

import typer

from srpitp.cli.access import access_of
from srpitp.cli.output import AsJson, console, plain, show
from srpitp_contracts.matching import Candidate, Limits


def search(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="An image, whoever has it.")
    ],
    as_json: AsJson = False,
) -> None:
    """Show which protected photos an image shows; nothing of it is kept."""
    result = access_of(context).admin.matches.search(file.read_bytes(), name=file.name)
    show(
        iter(result.candidates),
        {
            "Photo": lambda one: one.protected_id,
            "Title": lambda one: one.title,
            "Owner": lambda one: one.owner_id,
            "Verdict": lambda one: one.verdict,
            "Distance": lambda one: f"{one.decision_distance:.3f}",
            "Score": _score,
            "Sure": lambda one: "yes" if one.confident else "a reviewer would see",
        },
        as_json=as_json,
        limit=len(result.candidates) + 1,
        nothing=f"It shows none of the {result.compared} protected photos.",
    )


def thresholds(context: typer.Context, as_json: AsJson = False) -> None:
    """Show which thresholds are in force, and why."""
    told = access_of(context).admin.matches.thresholds()
    out = console()
    if as_json:
        out.print_json(told.model_dump_json())
        return
    out.print(plain(told.reason), soft_wrap=True)
    if told.threshold is not None:
        out.print(f"similar: distance up to {told.threshold:.4f}")
    _say("confirmed by rule", told.alarm)
    _say("before a reviewer", told.review)


def _say(what: str, limits: Limits | None) -> None:
    if limits is not None:
        console().print(
            f"{what}: nearness up to {limits.tight:.3f}, or score above {limits.bar:.2f}"
        )


def _score(one: Candidate) -> str:
    score = one.verification.score if one.verification else None
    return "" if score is None else f"{score:.1f}"
