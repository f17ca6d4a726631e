"""Command line: ``rheobase loop``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rheobase._heads_cli import AsJson, parse_options, put
from rheobase._optimise_cli import DryRun, Out, tell

FOLDER = "data/loop"


def loop(
    what: Annotated[
        str,
        typer.Argument(help="parkinson, phase_locked, breathing, or a study file like them."),
    ],
    other: Annotated[
        list[str] | None,
        typer.Option("--set", help="Another value, table.key=value: timing.duration_s=10."),
    ] = None,
    out: Out = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Close the loop: a plant, a biomarker, controllers; report of effect, cost and stability."""
    from rheobase.config import read_toml
    from rheobase.loop import check_loop, run_loop_study
    from rheobase.tables.loop import LoopStudy
    from rheobase.tables.parse import parse_table
    from rheobase.tables.text import toml_text

    table, text, path = read_toml(what, folder=FOLDER)
    where = path.name
    if other:
        for key, value in parse_options(other, where="--set").items():
            put(table, key, value)
        text, where = toml_text(table), f"{where} with --set"
    study = parse_table(LoopStudy, table, where=where, folder=path.parent)
    if dry_run:
        check_loop(study)
        typer.echo(f"{what}: valid: {study.title}")
        return
    tell(run_loop_study(study, text=text, out=out or Path("out") / path.stem), as_json=as_json)
