"""Command line: ``rheobase study | loop``: kinds of study that need no head."""

from __future__ import annotations

from typing import Annotated

import typer

from rheobase._cli_options import AsJson, Changes, DryRun, Out, carry_out, changes
from rheobase.kinds import KINDS


def _shipped(kind: str) -> list[str]:
    return list(KINDS[kind].studies())


def study(
    what: Annotated[
        str,
        typer.Argument(
            help="cross-species, or a study file like it with other settings.",
            autocompletion=lambda: _shipped("cross-species"),
        ),
    ],
    other: Changes = None,
    out: Out = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Run a study of the literature anew: surface stimulation of rat, mouse and human cortex."""
    from rheobase.study_file import load_study

    found = load_study(what, kind="cross-species", change=changes(other))
    carry_out(found, out=out, as_json=as_json, dry_run=dry_run)


def loop(
    what: Annotated[
        str,
        typer.Argument(
            help="parkinson, phase_locked, breathing, or a study file like them.",
            autocompletion=lambda: _shipped("loop"),
        ),
    ],
    other: Changes = None,
    out: Out = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Close the loop: a plant, a biomarker, controllers; report of effect, cost and stability."""
    from rheobase.study_file import load_study

    found = load_study(what, kind="loop", change=changes(other))
    carry_out(found, out=out, as_json=as_json, dry_run=dry_run)
