"""Command line: ``rheobase validate``."""

from __future__ import annotations

from typing import Annotated

import typer

from rheobase._cli_options import AsJson, say_json


def complete_case(incomplete: str) -> list[str]:
    """Return the validation cases that begin like ``incomplete``."""
    from rheobase.validation.registry import CASES, LONG

    return [case for case in CASES | LONG if case.startswith(incomplete)]


def validate(
    cases: Annotated[
        list[str] | None,
        typer.Argument(
            help="Case ids; all but those of minutes if none.", autocompletion=complete_case
        ),
    ] = None,
    as_json: AsJson = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print a Markdown table with the sources.")
    ] = False,
    listing: Annotated[bool, typer.Option("--list", help="Print the case ids and stop.")] = False,
) -> None:
    """Compare the solvers with exact solutions and published numbers; exit 1 if one fails."""
    from rheobase.validation.registry import CASES, LONG, run_cases
    from rheobase.validation.table import markdown_table, text_table

    if listing:
        names = list(CASES | LONG)
        say_json(names) if as_json else typer.echo("\n".join(names))
        return
    rows = list(run_cases(cases or ()))
    if as_json:
        say_json([r.as_dict() for r in rows])
    else:
        typer.echo(markdown_table(rows) if markdown else text_table(rows))
    if not all(r.passed for r in rows):
        raise typer.Exit(1)
