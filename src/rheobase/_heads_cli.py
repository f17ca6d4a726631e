"""Command line: ``rheobase heads list | info | build | check | view``."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rheobase._errors import InputError, check_option

if TYPE_CHECKING:
    from rheobase.meshes.head import Head

app = typer.Typer(
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    help="Built-in heads and your own: list, look, build, check, draw.",
)

Source = Annotated[str, typer.Argument(help="Name of a built-in head, or a file or folder.")]
Resolution = Annotated[
    str | None, typer.Option("--resolution", help="coarse, standard or fine (mni152).")
]
Edge = Annotated[
    float | None,
    typer.Option("--edge-length-mm", help="Mean edge of the (finest) tetrahedra (mm)."),
]
Labels = Annotated[
    str | None, typer.Option("--labels", help="Label table of a file: a CSV file or a known name.")
]
Species = Annotated[
    str | None, typer.Option("--species", help="human, macaque, rat or mouse, for a file.")
]
Tissues = Annotated[
    Path | None, typer.Option("--tissues", help="Own tissues and values: CSV or TOML.")
]
Options = Annotated[
    list[str] | None,
    typer.Option("--option", help="Another option of the head or its reader: name=value."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


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
        typer.echo(json.dumps(rows, indent=2))
        return
    width = max(len(r["name"]) for r in rows)
    for r in rows:
        typer.echo(f"{r['name']:<{width}}  {r['what']}; space {r['space']}")


def open_source(
    source: str,
    *,
    resolution: str | None,
    edge_length_mm: float | None,
    labels: str | None,
    species: str | None,
    tissues: Path | None,
    option: list[str] | None,
) -> Head:
    """Return the head that the options of the command line mean.

    Raises
    ------
    InputError
        If there is no such head or file, or an option does not belong to it.
    """
    from rheobase.meshes.heads import BUILT_IN, build_head, read_head

    given: dict[str, Any] = {
        "resolution": resolution,
        "edge_length_mm": edge_length_mm,
        "labels": labels,
        "species": species,
        **parse_options(option or []),
    }
    given = {k: v for k, v in given.items() if v is not None}
    if source in BUILT_IN:
        return build_head(source, tissues=tissues, **given)
    path = Path(source)
    if not path.exists() and len(path.parts) == 1 and not path.suffix:
        check_option("head", source, BUILT_IN)
    return read_head(path, tissues=tissues, **given)


def parse_options(pairs: list[str], *, where: str = "--option") -> dict[str, Any]:
    """Return ``name=value`` texts as a mapping; a value is TOML where it can be, else text.

    Parameters
    ----------
    pairs
        The texts.
    where
        The option that they came with.

    Examples
    --------
    >>> parse_options(["columns=2000", "area=V1", "radii_mm=[80.0, 90.0]"])
    {'columns': 2000, 'area': 'V1', 'radii_mm': [80.0, 90.0]}
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (equals and name.strip()):
            raise InputError(f"expected {where} name=value, got {pair!r}")
        try:
            found[name.strip()] = tomllib.loads(f"x = {value}")["x"]
        except tomllib.TOMLDecodeError:
            found[name.strip()] = value.strip()
    return found


def put(table: dict[str, Any], key: str, value: Any) -> None:
    """Put a value at ``table.key`` (or ``key``) of a study."""
    *above, last = key.split(".")
    for name in above:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise InputError(f"expected a table before the dot, got {key!r}: --set")
    table[last] = value


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
    record = describe(head)
    typer.echo(json.dumps(record, indent=2) if as_json else _text(record))


def describe(head: Head) -> dict[str, Any]:
    """Return what a head is, as plain values."""
    import numpy as np

    volumes = head.mesh.tissue_volumes()
    sheet = head.cortex
    return {
        "name": head.name,
        "species": head.species,
        "space": head.space,
        "nodes": len(head.mesh.nodes),
        "tetrahedra": len(head.mesh.tets),
        "size_mm": (np.ptp(head.mesh.nodes, axis=0) * 1e3).round(2).tolist(),
        "tissues": [
            {
                "label": label,
                "name": t.name,
                "volume_cm3": volumes.get(label, 0.0) * 1e6,
                "conductivity_S_per_m": q.value if q else None,
                "source": q.source if q else "",
                "status": q.status if q else "missing",
            }
            for label, t in head.tissues.items()
            for q in [t.properties.get("conductivity")]
        ],
        "fiducials_mm": {k: (p * 1e3).round(2).tolist() for k, p in head.fiducials.items()},
        "positions": list(head.positions),
        "cortex": None
        if sheet is None
        else {
            "columns": len(sheet.pial),
            "area_cm2": float(sheet.area.sum() * 1e4),
            "thickness_mm": [
                float(x) for x in np.percentile(sheet.thickness, [5, 50, 95]).round(6) * 1e3
            ],
        },
        "provenance": dict(head.provenance),
    }


def _text(record: dict[str, Any]) -> str:
    """Return what `describe` found for people."""
    lines = [
        f"{record['name']} ({record['species']}), space {record['space']}: "
        f"{record['tetrahedra']:,} tetrahedra, {record['nodes']:,} nodes, "
        + " x ".join(f"{x:.4g}" for x in record["size_mm"])
        + " mm",
        "",
    ]
    rows = [("label", "tissue", "cm³", "S/m", "source of the conductivity")]
    for t in record["tissues"]:
        sigma = t["conductivity_S_per_m"]
        rows.append(
            (
                str(t["label"]),
                t["name"],
                f"{t['volume_cm3']:.4g}",
                "missing" if sigma is None else f"{sigma:g}",
                f"{t['source']} ({t['status']})" if t["source"] else "",
            )
        )
    widths = [max(len(r[k]) for r in rows) for k in range(4)]
    lines += [
        "  ".join(f"{c:<{w}}" for c, w in zip(r[:4], widths, strict=True)) + f"  {r[4]}"
        for r in rows
    ]
    lines.append("")
    for name, p in record["fiducials_mm"].items():
        lines.append(f"{name}: {', '.join(f'{x:g}' for x in p)} mm")
    if record["positions"]:
        shown = record["positions"]
        lines.append(f"{len(shown)} positions: {', '.join(shown)}")
    sheet = record["cortex"]
    if sheet is None:
        lines.append("no cortical sheet")
    else:
        thickness = ", ".join(f"{x:.2f}" for x in sheet["thickness_mm"])
        lines.append(
            f"cortex: {sheet['columns']:,} columns, {sheet['area_cm2']:.5g} cm², "
            f"thickness {thickness} mm (5, 50, 95 %)"
        )
    lines.append("")
    for key, value in record["provenance"].items():
        if key == "notes":
            lines += [f"note: {note}" for note in value]
        elif not isinstance(value, (dict, list)):
            lines.append(f"{key}: {value}")
    for role, checksum in record["provenance"].get("inputs", {}).items():
        lines.append(f"input {role}: {checksum}")
    return "\n".join(lines)


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
    writers = {path: _writer(path) for path in out or ()}
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
        typer.echo(json.dumps({"name": head.name, "quality": record}, indent=2))
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


def _writer(path: Path) -> Callable[[Path, Head], None]:
    """Return what writes a head to a file of this name, before anything is built."""
    writers: dict[str, Callable[[Path, Head], None]] = {
        ".h5": _write_h5,
        ".msh": _write_msh,
        ".vtu": _write_vtu,
    }
    if path.suffix not in writers:
        raise InputError(f"expected --out ending in {', '.join(writers)}, got {path}")
    return writers[path.suffix]


def _write_h5(path: Path, head: Head) -> None:
    from rheobase.meshes.store import save_head

    save_head(path, head)


def _write_msh(path: Path, head: Head) -> None:
    import numpy as np

    from rheobase.meshes.files.msh import Msh, write_msh

    mesh = head.mesh
    labels = np.unique(mesh.labels).tolist()
    surfaces = [mesh.boundary(label) for label in labels]
    write_msh(
        path,
        Msh(
            nodes_mm=mesh.nodes * 1e3,
            triangles=np.concatenate(surfaces),
            # SimNIBS tags the surface of tissue n with 1000 + n
            triangle_tags=np.concatenate(
                [np.full(len(s), 1000 + k, np.int32) for k, s in zip(labels, surfaces, strict=True)]
            ),
            tets=mesh.tets,
            tet_tags=mesh.labels,
            names={(3, k): head.tissues[k].name for k in labels},
        ),
    )


def _write_vtu(path: Path, head: Head) -> None:
    import numpy as np
    import pyvista as pv

    from rheobase._files import room_for, whole_file
    from rheobase.meshes.files.foreign import LENGTH_UNIT

    mesh = head.mesh
    grid = pv.UnstructuredGrid({pv.CellType.TETRA: mesh.tets.astype(np.int64)}, mesh.nodes)
    grid.cell_data["label"] = mesh.labels
    grid.cell_data["conductivity (S/m)"] = head.sigma()
    grid.field_data[LENGTH_UNIT] = ["m"]
    with whole_file(path) as part:
        room_for(part, mesh.nodes.nbytes + 2 * mesh.tets.nbytes + 12 * len(mesh.tets))
        grid.save(part)


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
        typer.echo(json.dumps([asdict(f) for f in findings], indent=2))
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
    from rheobase._render import CURE, show

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
