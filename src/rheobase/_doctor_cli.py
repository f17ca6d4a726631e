"""Command line: ``rheobase doctor``."""

from __future__ import annotations

from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING

import typer

from rheobase._cli_options import AsJson, say_json

if TYPE_CHECKING:
    from rheobase._doctor import Check

_MARKS = {"ok": "ok", "absent": "-", "poor": "!", "missing": "!!"}
_COLOURS = {"ok": "green", "absent": "bright_black", "poor": "yellow", "missing": "red"}


def doctor(as_json: AsJson = False) -> None:
    """Say what is installed, what is missing, and how to mend it; exit 1 if something is needed."""
    from rheobase._doctor import examine
    from rheobase._progress import stage

    with stage("looking"):
        checks = examine()
    missing = [check.name for check in checks if check.state == "missing"]
    if as_json:
        say_json({"fine": not missing, "checks": [asdict(check) for check in checks]})
    else:
        _tell(checks)
        typer.echo()
        typer.echo(
            f"missing or broken: {', '.join(missing)}" if missing else "all that is needed is here"
        )
    if missing:
        raise typer.Exit(1)


def _tell(checks: list[Check]) -> None:
    width = max(len(check.name) for check in checks)
    for group, members in groupby(checks, key=lambda check: check.group):
        typer.echo(typer.style(group, bold=True))
        for check in members:
            mark = typer.style(f"{_MARKS[check.state]:>4}", fg=_COLOURS[check.state])
            typer.echo(f"{mark}  {check.name:<{width}}  {check.found}")
            if check.mend:
                typer.echo(f"      {'':<{width}}  -> {check.mend}")
