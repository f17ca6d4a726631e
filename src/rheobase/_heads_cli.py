"""Command line: ``rheobase heads list | info | build | check | view``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from rheobase._cli_options import AsJson, say_json
from rheobase._errors import InputError
from rheobase._head_options import (
    Edge,
    Labels,
    Options,
    Resolution,
    Source,
    Species,
    Tissues,
    open_source,
)

app = typer.Typer(
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    help="Built-in heads and your own: list, look, build, check, draw.",
)


@app.callback()
def heads(context: typer.Context) -> None:
    """Built-in heads and your own: list, look, build, check, draw."""
    if context.invoked_subcommand is None:
        listing()


@app.command("list")
def listing(as_json: AsJson = False) -> None:
    """List the built-in heads."""
    from rheobase.meshes.heads import BUILT_IN

    rows = [
        {"name": name, "species": h.species, "space": h.space, "what": h.what}
        for name, h in BUILT_IN.items()
    ]
    if as_json:
        say_json(rows)
        return
    width = max(len(r["name"]) for r in rows)
    for r in rows:
        typer.echo(f"{r['name']:<{width}}  {r['what']}; space {r['space']}")


@app.command()
def info(
    source: Source,
    resolution: Resolution = None,
    edge_length_mm: Edge = None,
    labels: Labels = None,
    species: Species = None,
    tissues: Tissues = None,
    option: Options = None,
    as_json: AsJson = False,
) -> None:
    """Tell what a head is: tissues, volumes, sources, landmarks, how it was made."""
    head = open_source(
        source,
        resolution=resolution,
        edge_length_mm=edge_length_mm,
        labels=labels,
        species=species,
        tissues=tissues,
        option=option,
    )
    from rheobase._head_text import describe, head_text

    record = describe(head)
    say_json(record) if as_json else typer.echo(head_text(record))


@app.command()
def build(
    source: Source,
    resolution: Resolution = None,
    edge_length_mm: Edge = None,
    labels: Labels = None,
    species: Species = None,
    tissues: Tissues = None,
    option: Options = None,
    out: Annotated[
        list[Path] | None,
        typer.Option("--out", help="Write the head: .h5 (all of it), .msh or .vtu (mesh)."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Build a head, print what its mesh is worth, and write it where asked."""
    from rheobase._head_writers import head_writer

    writers = {path: head_writer(path) for path in out or ()}
    head = open_source(
        source,
        resolution=resolution,
        edge_length_mm=edge_length_mm,
        labels=labels,
        species=species,
        tissues=tissues,
        option=option,
    )
    from dataclasses import asdict

    from rheobase.meshes.quality import quality

    worth = quality(head.mesh)
    if as_json:
        record = asdict(worth)
        record["volumes"] = {head.tissues[k].name: v for k, v in worth.volumes.items()}
        say_json({"name": head.name, "quality": record})
    else:
        typer.echo(f"{head.name}, {head.species}, space {head.space}")
        lines = [line for line in str(worth).splitlines() if not line.startswith("volume of label")]
        typer.echo("\n".join(lines))
        errors = head.provenance.get("mesh", {}).get("volume_errors", {})
        for label, volume in worth.volumes.items():
            off = errors.get(str(label))
            typer.echo(
                f"{head.tissues[label].name} (label {label}): {volume * 1e6:.4g} cm³"
                + ("" if off is None else f", {100 * off:+.2f} % of the wanted")
            )
        for note in head.provenance.get("notes", ()):
            typer.echo(f"note: {note}")
    for path, write in writers.items():
        write(path, head)
        if not as_json:
            typer.echo(path)


@app.command()
def check(
    source: Source,
    resolution: Resolution = None,
    edge_length_mm: Edge = None,
    labels: Labels = None,
    species: Species = None,
    tissues: Tissues = None,
    option: Options = None,
    as_json: AsJson = False,
) -> None:
    """Look at a head from all sides; exit 1 if something makes it unfit for use."""
    head = open_source(
        source,
        resolution=resolution,
        edge_length_mm=edge_length_mm,
        labels=labels,
        species=species,
        tissues=tissues,
        option=option,
    )
    from dataclasses import asdict

    from rheobase.meshes.checkup import check_up

    findings = check_up(head)
    if as_json:
        say_json([asdict(f) for f in findings])
    else:
        width = max(len(f.topic) for f in findings)
        for f in findings:
            typer.echo(f"{f.level:<5}  {f.topic:<{width}}  {f.text}")
    failed = [f for f in findings if f.level == "fails"]
    if failed:
        raise typer.Exit(1)


@app.command()
def view(
    source: Source,
    resolution: Resolution = None,
    edge_length_mm: Edge = None,
    labels: Labels = None,
    species: Species = None,
    tissues: Tissues = None,
    option: Options = None,
    at_mm: Annotated[
        str | None, typer.Option("--at-mm", help="Point the sections go through: x,y,z (mm).")
    ] = None,
    image: Annotated[
        Path | None,
        typer.Option("--image", help="Image to draw the mesh on too (NIfTI or .mgz), its space."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write a picture (.png) instead of a window.")
    ] = None,
) -> None:
    """Draw a head: three sections and the mesh cut open, to a file or in a window."""
    point = _point(at_mm)
    display = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    if out is None and not display:
        raise InputError("no display to open a window on: give --out PICTURE.png")
    if out is not None and out.suffix != ".png":
        raise InputError(f"expected --out ending in .png, got {out}")
    head = open_source(
        source,
        resolution=resolution,
        edge_length_mm=edge_length_mm,
        labels=labels,
        species=species,
        tissues=tissues,
        option=option,
    )
    from rheobase.head_views import cut_scene, write_picture
    from rheobase.scenes import CURE, show

    nodes = head.mesh.nodes
    if point is not None and ((point < nodes.min(0)) | (point > nodes.max(0))).any():
        low, high = (
            ", ".join(f"{1e3 * x:.4g}" for x in end) for end in (nodes.min(0), nodes.max(0))
        )
        raise InputError(f"expected --at-mm within the head, {low} to {high} mm, got {at_mm!r}")
    behind = None
    if image is not None:
        from rheobase.meshes.files.volumes import read_volume

        volume = read_volume(image)
        if volume.values.ndim != 3:
            raise InputError(f"expected a 3-D image, got shape {volume.values.shape}: {image}")
        behind = (volume.values, volume.affine)
    if out is None:
        if not show(cut_scene(head, at=point)):
            raise InputError("no window could be opened: give --out PICTURE.png")
        return
    if not write_picture(head, out, at=point, image=behind):
        typer.echo(CURE, err=True)
    typer.echo(out)


def _point(text: str | None) -> Any:
    """Return the point (m) that ``x,y,z`` in millimetres means."""
    import numpy as np

    if text is None:
        return None
    try:
        point = np.array([float(x) for x in text.split(",")])
    except ValueError:
        point = np.empty(0)
    if point.shape != (3,) or not np.isfinite(point).all():
        raise InputError(f"expected --at-mm x,y,z in mm, got {text!r}")
    return point * 1e-3
