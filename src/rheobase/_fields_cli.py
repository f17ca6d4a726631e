"""Command line: ``rheobase devices`` and ``rheobase leadfield``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rheobase._cli_options import AsJson, say_json
from rheobase._errors import InputError, check_option
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

if TYPE_CHECKING:
    from rheobase.fields.leadfield import LeadField


def devices(as_json: AsJson = False) -> None:
    """List the shipped coils, electrode layers and TMS pulses."""
    from rheobase.fields.coils.windings import load_windings
    from rheobase.fields.electrodes.electrode import layer, layer_names
    from rheobase.fields.waveforms.pulses import load_pulses, tms_pulse

    layers = [layer(name) for name in layer_names()]
    pulses = [tms_pulse(name) for name in load_pulses()]
    record: dict[str, list[dict[str, Any]]] = {
        "coils": [
            {
                "name": w.name,
                "model": w.model,
                "shape": w.shape,
                "outer_diameter_mm": w.outer_diameter_mm,
                "dIdt_max_A_per_us": w.dIdt_max_A_per_us,
                "status": w.status,
            }
            for w in load_windings().values()
        ],
        "layers": [
            {"name": a.name, "sigma_S_per_m": a.sigma, "thickness_mm": a.thickness_mm}
            for a in layers
        ],
        "waveforms": [{"name": p.name, "duration_us": p.duration * 1e6} for p in pulses],
    }
    if as_json:
        say_json(record)
        return
    from rheobase.report import Table

    for title, rows in record.items():
        shown = [tuple("" if v is None else v for v in row.values()) for row in rows]
        typer.echo(f"{title}\n{Table(columns=tuple(rows[0]), rows=shown).text()}\n")


def leadfield(
    source: Source,
    out: Annotated[Path, typer.Option("--out", help="The file (HDF5); gone on with if begun.")],
    electrodes: Annotated[
        str, typer.Option("--electrodes", help="10-10 for all positions, or names: C3,Cz,Fp2.")
    ] = "10-10",
    reference: Annotated[
        str | None, typer.Option("--reference", help="Electrode that takes the currents out.")
    ] = None,
    field_in: Annotated[
        str | None,
        typer.Option(
            "--field-in", help="Tissues whose field is stored: grey_matter,…; all if none."
        ),
    ] = None,
    resolution: Resolution = None,
    edge_length_mm: Edge = None,
    labels: Labels = None,
    species: Species = None,
    tissues: Tissues = None,
    option: Options = None,
    as_json: AsJson = False,
) -> None:
    """Solve for every electrode of a head once; any montage is then a sum."""
    from rheobase.fields.leadfield_solve import lead_field
    from rheobase.meshes.heads import BUILT_IN

    if out.suffix not in {".h5", ".hdf5"}:
        raise InputError(f"expected a file ending in .h5 or .hdf5, got {out}: --out")
    names = None if electrodes == "10-10" else _names(electrodes, "--electrodes")
    if source in BUILT_IN:
        for name in [*(names or []), *([reference] if reference else [])]:
            check_option("electrode position", name, BUILT_IN[source].positions)
    head = open_source(
        source,
        resolution=resolution,
        edge_length_mm=edge_length_mm,
        labels=labels,
        species=species,
        tissues=tissues,
        option=option,
    )
    found = lead_field(
        head,
        out,
        names,
        reference=reference,
        tissues=None if field_in is None else _names(field_in, "--field-in"),
    )
    record = _record(found)
    if as_json:
        say_json(record)
        return
    typer.echo(
        f"{len(found.names)} electrodes, reference {found.reference}, field at "
        f"{len(found.kept):,} of {len(found.split.node):,} places; impedances to the reference "
        f"{record['impedance_ohm'][0]:.0f} to {record['impedance_ohm'][1]:.0f} Ω, asymmetry "
        f"{found.asymmetry:.1g}, residual {found.residual.max():.1g}"
    )
    typer.echo(out)


def _record(found: LeadField) -> dict[str, Any]:
    own = found.voltage.diagonal()
    own = own[own > 0]
    return {
        "file": str(found.path),
        "electrodes": list(found.names),
        "reference": found.reference,
        "places": len(found.kept),
        "impedance_ohm": [float(own.min()), float(own.max())],
        "asymmetry": found.asymmetry,
        "residual": float(found.residual.max()),
    }


def _names(text: str, where: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise InputError(f"expected names with commas between them, got {text!r}: {where}")
    return names
