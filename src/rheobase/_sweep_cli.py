"""Command line: ``rheobase sweep`` and ``rheobase group``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rheobase._cli_options import AsJson, DryRun, Out, parse_options, say_json, tell
from rheobase._errors import InputError


def sweep(
    file: Annotated[
        Path, typer.Argument(help="The parameter study: a TOML file, or the folder of its results.")
    ],
    out: Out = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes at work.")] = 1,
    dask: Annotated[
        str | None,
        typer.Option("--dask", help='A Dask scheduler (tcp://host:8786), or "local".'),
    ] = None,
    points: Annotated[
        str | None,
        typer.Option("--points", help="Only these, counted from 0: 0-99 or 3,7 (job arrays)."),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try points again that have failed before.")
    ] = False,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Run a study over many settings, heads and species; one that was killed goes on."""
    from rheobase.sweeps.plan import plan_sweep
    from rheobase.sweeps.results import run_sweep
    from rheobase.sweeps.study import load_sweep

    found = load_sweep(file)
    out = out or found.out or Path("out") / found.name
    chosen = None if points is None else parse_points(points)
    if dry_run:
        plan = plan_sweep(found, out, jobs=jobs)
        say_json(plan.as_dict()) if as_json else typer.echo(plan.text())
        return
    result = run_sweep(found, out, jobs=jobs, dask=dask, chosen=chosen, retry_failed=retry_failed)
    tell(result, as_json=as_json)


def group(
    subjects: Annotated[
        list[Path],
        typer.Argument(help="Images in MNI space, or the folder of a sweep with outputs.maps."),
    ],
    at: Annotated[
        list[str] | None,
        typer.Option("--at", help="Which points of the sweep: device.current_mA=2."),
    ] = None,
    against: Annotated[
        list[Path] | None,
        typer.Option("--against", help="Images of the same subjects under another condition."),
    ] = None,
    against_at: Annotated[
        list[str] | None,
        typer.Option("--against-at", help="Other points of the sweep to compare with."),
    ] = None,
    reference: Annotated[
        float, typer.Option("--reference", help="Value (V/m) that means are tested against.")
    ] = 0.0,
    atlas: Annotated[
        Path | None, typer.Option("--atlas", help="Label image in MNI space, for the table.")
    ] = None,
    atlas_names: Annotated[
        Path | None, typer.Option("--atlas-names", help="Names of its labels.")
    ] = None,
    least: Annotated[
        float, typer.Option("--least", help="Share of subjects that a voxel must have.")
    ] = 1.0,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Statistics of fields over subjects in MNI space: mean, SD, consistency, t."""
    from rheobase.sweeps.group_results import run_group

    result = run_group(
        subjects,
        out or Path("out/group"),
        at=parse_options(at or [], where="--at"),
        against=against,
        against_at=parse_options(against_at or [], where="--against-at"),
        reference=reference,
        atlas=atlas,
        atlas_names=atlas_names,
        least=least,
    )
    tell(result, as_json=as_json)


def parse_points(text: str) -> list[int]:
    """Return the indices that a text names.

    Raises
    ------
    InputError
        If it names none.

    Examples
    --------
    >>> parse_points("0-3,7")
    [0, 1, 2, 3, 7]
    """
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise InputError(f"expected numbers like 0-99 or 3,7, got {text!r}: --points")
        ends = int(first), int(last) if dash else int(first)
        if ends[1] < ends[0]:
            raise InputError(f"expected a range that rises, got {part!r}: --points")
        found += range(ends[0], ends[1] + 1)
    return found
