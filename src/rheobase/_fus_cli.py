"""Command line: ``rheobase fus run | devices | quick``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rheobase._cli_options import (
    AsJson,
    Changes,
    DryRun,
    Out,
    StudySource,
    carry_out,
    changes,
    say_json,
    tell,
)

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Focused ultrasound: through the skull, heat, levels, cells; transducers; a quick look.",
)


@app.command()
def run(
    study: StudySource,
    other: Changes = None,
    out: Out = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Sound through a head: pressure, focus, heat, levels, cells; report and files."""
    from rheobase.study_file import load_study

    found = load_study(study, kind="fus", change=changes(other))
    carry_out(found, out=out, as_json=as_json, dry_run=dry_run)


@app.command()
def devices(as_json: AsJson = False) -> None:
    """List the transducers with their geometry, where it comes from and what to know of it."""
    from rheobase.fields.acoustics.transducers.catalogue import transducer_names

    rows = [device_row(name) for name in transducer_names()]
    if as_json:
        say_json(rows)
        return
    width = max(len(row["name"]) for row in rows)
    typer.echo(f"{'name':<{width}}  kHz   elements  aperture  radius (mm)  status")
    for row in rows:
        radius = "flat" if row["radius_mm"] is None else f"{row['radius_mm']:g}"
        typer.echo(
            f"{row['name']:<{width}}  {row['frequency_kHz']:<5g} {row['elements']:<9} "
            f"{row['aperture_mm']:<9g} {radius:<12} {row['status']}"
        )
        for note in row["notes"]:
            typer.echo(f"{'':<{width}}  {note}")


def device_row(name: str) -> dict[str, Any]:
    """Return what is known of a transducer, as plain values.

    Examples
    --------
    >>> device_row("itrusst-sc1")["aperture_mm"]
    64.0
    """
    from math import isfinite

    from rheobase.fields.acoustics.transducers.catalogue import transducer

    one = transducer(name)
    radius = one.curvature_radius
    return {
        "name": name,
        "frequency_kHz": one.frequency * 1e-3,
        "elements": one.n_elements,
        "aperture_mm": round(one.aperture * 1e3, 2),
        "radius_mm": round(radius * 1e3, 3) if isfinite(radius) else None,
        "source": one.reference,
        "status": one.status,
        "notes": list(one.notes),
    }


@app.command()
def quick(
    transducer: Annotated[
        str, typer.Option("--transducer", help="One of 'rheobase fus devices', of rings.")
    ] = "itrusst-sc1",
    layers: Annotated[
        str,
        typer.Option(
            "--layers",
            help="Where each begins (mm from the source) and of what: '30:skull,36.5:brain'; "
            "water before the first.",
        ),
    ] = "",
    curvature_mm: Annotated[
        float | None,
        typer.Option("--curvature-mm", help="Radius of the first layer's sphere; flat without."),
    ] = None,
    pressure_kPa: Annotated[
        float, typer.Option("--pressure-kPa", help="At the face of the source.")
    ] = 60.0,
    frequency_kHz: Annotated[
        float | None, typer.Option("--frequency-kHz", help="Another than the catalogue's.")
    ] = None,
    depth_mm: Annotated[
        float | None, typer.Option("--depth-mm", help="How deep (twice the focal length).")
    ] = None,
    radius_mm: Annotated[
        float | None, typer.Option("--radius-mm", help="How far beside the axis.")
    ] = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Look at a transducer through layers round about its axis: focus and picture in seconds."""
    from rheobase.stations.fus_quick import quick_look

    tell(
        quick_look(
            transducer,
            layers=layers,
            curvature_mm=curvature_mm,
            pressure_kPa=pressure_kPa,
            frequency_kHz=frequency_kHz,
            depth_mm=depth_mm,
            radius_mm=radius_mm,
            out=out or Path("out/fus_quick"),
        ),
        as_json=as_json,
    )
