"""Command line: ``rheobase study``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rheobase._heads_cli import AsJson, parse_options, put
from rheobase._optimise_cli import DryRun, Out, tell

FOLDER = "data/studies"


def study(
    what: Annotated[
        str, typer.Argument(help="cross-species, or a study file like it with other settings.")
    ],
    other: Annotated[
        list[str] | None,
        typer.Option("--set", help="Another value, table.key=value: cells.placements=100."),
    ] = None,
    out: Out = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Run a study of the literature anew: surface stimulation of rat, mouse and human cortex."""
    from rheobase.config import read_toml
    from rheobase.studies.cross_species import check_cross_species, run_cross_species
    from rheobase.tables.cross_species import CrossSpeciesStudy
    from rheobase.tables.parse import parse_table
    from rheobase.tables.text import toml_text

    table, text, path = read_toml(what, folder=FOLDER)
    where = path.name
    if other:
        for key, value in parse_options(other, where="--set").items():
            put(table, key, value)
        text, where = toml_text(table), f"{where} with --set"
    checked = parse_table(CrossSpeciesStudy, table, where=where, folder=path.parent)
    if dry_run:
        check_cross_species(checked)
        typer.echo(f"{what}: valid: {checked.title}")
        return
    result = run_cross_species(checked, text=text, out=out or Path("out") / path.stem)
    tell(result, as_json=as_json)
