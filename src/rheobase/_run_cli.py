"""Command line: ``demo | run | fields | activate | network | report``: studies and results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rheobase._cli_options import AsJson, Changes, DryRun, Out, StudySource, carry_out, changes

#: What each station does without: a study's tables in the order of the work.
LATER = {
    "fields": ("cells", "network", "eeg", "brain"),
    "activate": ("network", "eeg", "brain"),
    "network": ("eeg", "brain"),
}
NEEDED = {"fields": "device", "activate": "cells", "network": "network"}


def demo(out: Out = None, as_json: AsJson = False, dry_run: DryRun = False) -> None:
    """Run the shipped study: TMS over the motor cortex, from the coil to the network."""
    from rheobase.study_file import load_study

    study = load_study("tms_motor", kind="field")
    carry_out(study, out=out or Path("out/demo"), as_json=as_json, dry_run=dry_run)


def run(
    study: StudySource,
    other: Changes = None,
    out: Out = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Run a study of any kind and write its report, pictures and data."""
    from rheobase.study_file import load_study

    found = load_study(study, change=changes(other))
    carry_out(found, out=out, as_json=as_json, dry_run=dry_run)


def fields(
    study: StudySource,
    other: Changes = None,
    out: Out = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Run a study up to the field: no cells, no network."""
    _up_to("fields", study, other, out=out, as_json=as_json, dry_run=dry_run)


def activate(
    study: StudySource,
    other: Changes = None,
    out: Out = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Run a study up to its cells: which of them fire, or how they are polarised."""
    _up_to("activate", study, other, out=out, as_json=as_json, dry_run=dry_run)


def network(
    study: StudySource,
    other: Changes = None,
    out: Out = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Run a study up to its network: neither electrodes that see it nor other regions."""
    _up_to("network", study, other, out=out, as_json=as_json, dry_run=dry_run)


def report(
    folder: Annotated[Path, typer.Argument(help="A folder of results.", file_okay=False)],
    as_json: AsJson = False,
) -> None:
    """Write the report of a finished run again, from what is in its folder."""
    from rheobase._cli_options import say_json
    from rheobase.results import rewrite_report

    path = rewrite_report(folder)
    say_json({"report": str(path)}) if as_json else typer.echo(path)


def _up_to(
    station: str,
    source: str,
    other: list[str] | None,
    *,
    out: Path | None,
    as_json: bool,
    dry_run: bool,
) -> None:
    """Run a study without the tables after a station; its results hold what was run.

    Raises
    ------
    InputError
        If the study is of another kind, or lacks the table of the station.
    """
    from rheobase._errors import InputError
    from rheobase.study_file import load_study

    found = load_study(source, kind="field", change=changes(other), without=LATER[station])
    needed = NEEDED[station]
    if getattr(found.study, needed) is None:
        raise InputError(f"expected a study with [{needed}], got none: {found.where}")
    out = out or Path("out") / f"{found.name}_{station}"
    carry_out(found, out=out, as_json=as_json, dry_run=dry_run)
