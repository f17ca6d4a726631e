"""Command line: ``rheobase dbs``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rheobase._cli_options import (
    AsJson,
    DryRun,
    Out,
    carry_out,
    changes,
    complete_head,
    say_json,
)
from rheobase._errors import InputError, check_option
from rheobase._head_options import Resolution
from rheobase._optimise_cli import head_of, numbers

LISTING = "leads"


def _complete(incomplete: str) -> list[str]:
    from rheobase.kinds import KINDS

    names = [LISTING, *KINDS["dbs"].studies()]
    return [name for name in names if name.startswith(incomplete)]


def _complete_lead(incomplete: str) -> list[str]:
    from rheobase.meshes.leads.catalogue import lead_names

    return [name for name in lead_names() if name.startswith(incomplete)]


def dbs(
    what: Annotated[
        str | None,
        typer.Argument(
            help="A study file or the name of a shipped study; 'leads' lists models.",
            autocompletion=_complete,
        ),
    ] = None,
    lead: Annotated[
        str | None,
        typer.Option(
            "--lead",
            help="Model of the lead, without a study file.",
            autocompletion=_complete_lead,
        ),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option("--target", help="'left STN', or MNI x,y,z in mm; one lead each."),
    ] = None,
    entry: Annotated[
        str | None, typer.Option("--entry", help="Where the lead enters: MNI x,y,z in mm.")
    ] = None,
    contact: Annotated[
        str | None, typer.Option("--contact", help="Contact at the target; the tip without.")
    ] = None,
    rotation_deg: Annotated[
        float | None,
        typer.Option("--rotation-deg", help="Marker from the front, anticlockwise from above."),
    ] = None,
    steering: Annotated[
        str | None, typer.Option("--steering", help="Every contact: '2:-2mA,3:-1mA,case'.")
    ] = None,
    head: Annotated[
        str | None,
        typer.Option(
            "--head",
            help="Built-in head (mni152), or a file or folder.",
            autocompletion=complete_head,
        ),
    ] = None,
    resolution: Resolution = None,
    pulse_us: Annotated[
        float | None, typer.Option("--pulse-us", help="Width of the pulse (60).")
    ] = None,
    fibre_um: Annotated[
        float | None, typer.Option("--fibre-um", help="Axons that the volume is for (3.5).")
    ] = None,
    other: Annotated[
        list[str] | None,
        typer.Option("--set", help="Another key, table.key=value: tissue.dispersion=4-term."),
    ] = None,
    out: Out = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Leads in the brain: field, activated volume, pathways, steering; report and files."""
    from rheobase.study_file import load_study

    of_lead = {
        "--lead": lead,
        "--target": target,
        "--entry": entry,
        "--contact": contact,
        "--rotation-deg": rotation_deg,
        "--steering": steering,
        "--head": head,
        "--pulse-us": pulse_us,
        "--fibre-um": fibre_um,
        "--set": other,
    }
    given = [name for name, value in of_lead.items() if value is not None]
    if what is not None and given:
        raise InputError(f"{', '.join(given)} belongs to a run without a study file")
    if what == LISTING:
        _list_leads(as_json=as_json)
        return
    if what is not None:
        study = load_study(what, kind="dbs")
    else:
        missing = [k for k in ("--lead", "--target", "--steering") if not of_lead[k]]
        if missing:
            raise InputError(f"expected a study file, or {', '.join(missing)}")
        table: dict[str, Any] = {"title": f"{lead}: {', '.join(target or ())}"}
        table["head"] = head_of(head or "mni152", resolution)
        table["leads"] = [
            {"model": lead, "steering": steering}
            | place_of(t, entry)
            | ({} if contact is None else {"contact": contact})
            | ({} if rotation_deg is None else {"rotation_deg": rotation_deg})
            for t in target or ()
        ]
        if pulse_us is not None:
            table["pulse"] = {"width_us": pulse_us}
        if fibre_um is not None:
            table["volume"] = {"fibre_um": fibre_um}
        study = load_study(table, kind="dbs", change=changes(other), name="dbs")
    carry_out(study, out=out, as_json=as_json, dry_run=dry_run)


def place_of(target: str, entry: str | None) -> dict[str, Any]:
    """Return the place of a lead of what the command line says of it.

    Examples
    --------
    >>> place_of("-12,-14,-7", "-33,25,60")["entry_mni_mm"]
    [-33.0, 25.0, 60.0]
    """
    from rheobase.tables.target import known_targets

    found: dict[str, Any]
    if "," in target:
        found = {"name": target, "target_mni_mm": numbers(target, "--target")}
    else:
        found = {"target": check_option("target", target, known_targets())}
    return found | ({} if entry is None else {"entry_mni_mm": numbers(entry, "--entry")})


def _list_leads(*, as_json: bool) -> None:
    """Print every model with its geometry, where it comes from and what to know of it."""
    from rheobase.meshes.leads.catalogue import lead_names

    rows = [lead_row(name) for name in lead_names()]
    if as_json:
        say_json(rows)
        return
    width = max(len(row["model"]) for row in rows)
    typer.echo(f"{'model':<{width}}  {'mm':<5} {'contacts':<13}  status")
    for row in rows:
        layout = f"{row['contacts']}: {row['layout']}" if row["contacts"] else ""
        diameter = f"{row['diameter_mm']:g}" if row["contacts"] else ""
        typer.echo(f"{row['model']:<{width}}  {diameter:<5} {layout:<13}  {row['status']}")
        for note in row["notes"]:
            typer.echo(f"{'':<{width}}  {note}")


def lead_row(name: str) -> dict[str, Any]:
    """Return what is known of a model of lead, as plain values; no contacts without a geometry.

    Examples
    --------
    >>> lead_row("Medtronic 3389")["layout"]
    '1x4'
    """
    from rheobase.meshes.leads.catalogue import lead_model, lead_record

    record = lead_record(name)
    row: dict[str, Any] = {"model": name, "maker": record["maker"], "contacts": 0}
    row |= {"source": record["source"], "status": record["status"]}
    try:
        model = lead_model(name)
    except InputError as error:
        return row | {"notes": [str(error)]}
    return row | {
        "contacts": len(model.contacts),
        "layout": record["layout"],
        "diameter_mm": round(model.diameter * 1e3, 4),
        "notes": list(model.notes),
    }
