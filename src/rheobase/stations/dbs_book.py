"""What is written of leads in the brain: tables, voxels, pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase._progress import stage
from rheobase.dbs_views import draw_contacts, draw_plane, lead_planes
from rheobase.report import Picture, Section, Table
from rheobase.scenes.field import amount, grid_layer
from rheobase.scenes.head import frame_of, tissue_layers
from rheobase.scenes.leads import VIEW, deep_layers
from rheobase.scenes.picture import CURE, picture
from rheobase.scenes.scene import Scene
from rheobase.stations.book import write_rows
from rheobase.views import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rheobase.fields.dbs.volumes.zones import Overlap, Zone
    from rheobase.stations.book import Book
    from rheobase.stations.dbs_solve import Active, Surroundings
    from rheobase.tables.dbs import DeepStudy

Floats = NDArray[np.float64]
Row = Mapping[str, Any]

TOP, MOST = 5.0, 1000.0  # where the colours of |E| end: of its threshold, or in V/m without one


def write_leads(
    study: DeepStudy,
    actives: Sequence[Active],
    around: Surroundings,
    zones: Sequence[Zone],
    lines: Mapping[str, Sequence[Floats]],
    threshold: Mapping[str, Any],
    book: Book,
) -> None:
    """Tabulate, draw and write the leads, their field and what it activates.

    Parameters
    ----------
    study, actives, around
        The study, its leads, and what is around them.
    zones
        Its regions.
    lines
        Fibres of its pathways (m), for the picture.
    threshold
        What counts as activated, and where that comes from.
    book
        Takes all of it.
    """
    from rheobase.fields.dbs.volumes.zones import overlap

    with stage("regions"):
        overlaps = {
            (a.lead.name, zone.name): overlap(a.volume, zone) for a in actives for zone in zones
        }
    contacts = [{"lead": a.lead.name, **row} for a in actives for row in a.steering.rows()]
    write_rows(book, "contacts", contacts, title="Contacts of the leads")
    volumes = [{"lead": a.lead.name, **_flat(a.volume.summary())} for a in actives]
    write_rows(book, "volumes", volumes, title="Activated volumes")
    if overlaps:
        rows = [{"lead": lead, **found.as_dict()} for (lead, _), found in overlaps.items()]
        write_rows(book, "regions", rows, title="Activated parts of regions")
    _write_voxels(study, actives, book)
    tables = {
        "Leads": _lead_table(study, actives),
        "Contacts": _contact_table(contacts),
        "Activated volume": _volume_table(actives),
    }
    if overlaps:
        tables["Regions"] = _overlap_table(overlaps)
    book.tables.update(tables)
    with stage("pictures of the leads"):
        pictures = _pictures(study, actives, around, zones, lines, book)
    book.sections.append(
        Section(
            title="Leads, field and activated volume",
            paragraphs=[
                _criterion_words(threshold),
                "Planes along the lead and across it: grey and white matter as in the head, |E| "
                "in colour (logarithmic), the white line bounds the volume; contacts are "
                "blue where cathodic, red where anodic, brown where they float.",
                "Each lead is solved for in the head without the others.",
            ],
            figures=pictures,
            tables=[Table(columns=t.columns, rows=t.rows, title=k) for k, t in tables.items()],
        )
    )
    book.notes.extend(_notes(actives, threshold, study.pulse.width_us * 1e-6))
    for a in actives:
        book.facts[f"Lead {a.lead.name}"] = (
            f"{a.lead.model.name}, {a.steering.total * 1e3:.3g} mA, "
            f"{a.volume.volume * 1e9:.3g} mm³ activated"
        )
    book.details["dbs"] = {
        "threshold": dict(threshold),
        "leads": [_details(a) for a in actives],
        "regions": [{"lead": lead, **o.as_dict()} for (lead, _), o in overlaps.items()],
    }


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with the lists of three in it as x, y, z."""
    out: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, list):
            out |= {f"{key}_{axis}": v for axis, v in zip("xyz", value, strict=True)}
        else:
            out[key] = value
    return out


def _mm(point: Floats) -> str:
    return ", ".join(f"{c * 1e3:.1f}" for c in point)


def _lead_table(study: DeepStudy, actives: Sequence[Active]) -> Table:
    rows = []
    for a in actives:
        safety = a.steering.safety(study.pulse.width_us * 1e-6)
        most = int(np.argmax(safety.density))
        rows.append(
            (
                a.lead.name,
                a.lead.model.name,
                _mm(a.lead.tip),
                a.steering.total * 1e3,
                a.steering.impedance,
                float(safety.charge[most]) * 1e6,
                float(safety.density[most]) * 1e2,
            )
        )
    return Table(
        columns=(
            *("lead", "model", "tip (mm)", "current (mA)", "load (Ω)"),
            *("largest charge per phase (µC)", "its density (µC/cm²)"),
        ),
        rows=rows,
    )


def _contact_table(rows: Sequence[Row]) -> Table:
    keys = ("lead", "contact", "state", "current_mA", "voltage_V", "impedance_ohm")
    return Table(
        columns=("lead", "contact", "state", "current (mA)", "voltage (V)", "|V/I| (Ω)"),
        rows=[tuple("" if row.get(k) is None else row[k] for k in keys) for row in rows],
    )


def _volume_table(actives: Sequence[Active]) -> Table:
    return Table(
        columns=(
            *("lead", "volume (mm³)", "middle (mm)", "half axes (mm)"),
            "reach from the axis of the lead (mm)",
        ),
        rows=[
            (
                a.lead.name,
                a.volume.volume * 1e9,
                _mm(a.volume.centroid) if a.volume.volume > 0 else "",
                _mm(a.volume.radii),
                a.volume.reach * 1e3,
            )
            for a in actives
        ],
    )


def _overlap_table(overlaps: Mapping[tuple[str, str], Overlap]) -> Table:
    return Table(
        columns=(
            *("lead", "region", "region (mm³)", "of it activated (mm³)", "of it activated (%)"),
            "activated outside (mm³)",
        ),
        rows=[
            (
                lead,
                zone,
                found.zone_volume * 1e9,
                found.common * 1e9,
                found.share * 100,
                found.spill * 1e9,
            )
            for (lead, zone), found in overlaps.items()
        ],
    )


def _criterion_words(threshold: Mapping[str, Any]) -> str:
    if "threshold_V_per_m2" in threshold:
        return (
            "Activated: where the potential curves by more than "
            f"{threshold['threshold_V_per_m2']:g} V/m² along some direction."
        )
    words = f"Activated: where |E| is above {threshold['threshold_V_per_m']:.4g} V/m"
    if "name" in threshold:
        words += f", the threshold of {threshold['name']} ({threshold['source']})"
    return words + "."


def _notes(actives: Sequence[Active], threshold: Mapping[str, Any], width: float) -> list[str]:
    notes = [f"{threshold['name']}: {r}" for r in threshold.get("remarks", ())]
    for a in actives:
        model = a.lead.model
        notes += [f"{model.name} ({model.status}): {note}" for note in model.notes]
        notes += [f"{a.lead.name}, {words}" for words in a.steering.safety(width).over()]
    if len(actives) > 1:
        notes.append(
            "The leads are taken to pulse one after the other: their fields do not add. "
            + _foreign(actives)
        )
    notes.append(
        "A threshold of |E| stands for straight axons of one diameter, across the lead; "
        "pathways say more."
    )
    return notes


def _foreign(actives: Sequence[Active]) -> str:
    """Tell how strong the field of every lead is at the others."""
    said = []
    for a in actives:
        for b in actives:
            if a is not b and np.isfinite(b.volume.centroid).all():
                E = float(np.linalg.norm(a.steering.field(b.volume.centroid[None])[0]))
                if np.isfinite(E):
                    said.append(f"that of {a.lead.name} is {E:.2g} V/m at {b.lead.name}")
    return (", ".join(said).capitalize() + ".") if said else ""


def _details(a: Active) -> dict[str, Any]:
    return {
        "name": a.lead.name,
        "model": a.lead.model.name,
        "frame_m": a.lead.frame.tolist(),
        "contacts": a.steering.rows(),
        "impedance_ohm": np.asarray(a.response.Z).tolist(),
        "volume": a.volume.summary(),
        "residual": a.response.report.residual,
        "current_balance": a.response.report.conservation,
        "unknowns": a.response.report.unknowns,
    }


def _write_voxels(study: DeepStudy, actives: Sequence[Active], book: Book) -> None:
    """Write |E| and the activated part of voxels around every lead."""
    from rheobase.fields.dbs.volumes.voxels import on_grid
    from rheobase.fields.results.nifti import Grid, write_image

    edge, margin = study.results.voxel_mm * 1e-3, study.results.margin_mm * 1e-3
    for a in actives:
        ends = a.lead.to_head([[0.0, 0.0, z] for c in a.lead.model.contacts for z in c.z])
        low = np.floor((ends.min(axis=0) - margin) / edge)
        nx, ny, nz = (np.ceil((ends.max(axis=0) + margin) / edge) - low + 1).astype(int).tolist()
        affine = np.diag([edge, edge, edge, 1.0])
        affine[:3, 3] = low * edge
        grid = Grid(shape=(nx, ny, nz), affine=affine)
        points = grid.points(0, nx * ny * nz)
        with stage(f"voxels around {a.lead.name}"):
            size = np.linalg.norm(a.steering.field(points), axis=1)
            shown = amount(size.reshape(grid.shape), "|E|", "V/m", limit=_limit(a))
            layer = grid_layer(f"field of {a.lead.name}", grid.shape, affine, {"strength": shown})
            book.scene.append(layer)
            images = {
                "field": (np.nan_to_num(size).reshape(grid.shape), "|E| (V/m), 0 in the lead"),
                "volume": (on_grid(a.volume, grid), "part of the voxel that is activated"),
            }
            for suffix, (values, words) in images.items():
                title = f"{a.lead.name}: {words}"
                whole = values.astype(np.float32)
                with book.file(suffix, ".nii.gz", desc=a.slug, title=title, role="field") as path:
                    write_image(path, partial(np.asarray, whole), grid, description=words)


def _pictures(
    study: DeepStudy,
    actives: Sequence[Active],
    around: Surroundings,
    zones: Sequence[Zone],
    lines: Mapping[str, Sequence[Floats]],
    book: Book,
) -> list[Picture]:
    pictures = []
    seen = deep_layers(around.head, [a.volume for a in actives], zones, lines)
    centre = np.mean([a.lead.tip for a in actives], axis=0)
    book.frame.update(frame_of(around.head, view=VIEW, point=centre))
    book.scene.extend([*tissue_layers(around.head, shown={}), *seen])
    shown = Scene(title=study.title, layers=tuple(book.scene), **book.frame)
    if picture(shown, book.figure_path("scene")):
        words = "The leads in the brain: activated volume (red), regions (green), pathways (lines)."
        pictures.append(book.has_figure("scene", words))
    else:
        book.notes.append(CURE)
    for a in actives:
        figure = lead_picture(a, around, zones)
        words = f"{a.lead.name}: {a.lead.model.name}, {a.steering.total * 1e3:.3g} mA."
        pictures.append(book.picture(f"lead_{a.slug}", figure, words))
    return pictures


def _limit(a: Active) -> float:
    """Return where the colours of |E| end (V/m)."""
    from rheobase.fields.dbs.volumes.activated import FieldCriterion

    rule = a.volume.criterion
    return TOP * rule.threshold if isinstance(rule, FieldCriterion) else MOST


def lead_picture(a: Active, around: Surroundings, zones: Sequence[Zone]) -> Figure:
    """Draw a lead with its field in three planes, and unrolled with its currents."""
    from rheobase.fields.dbs.volumes.voxels import strength_at

    figure = new_figure(15.0, 4.6)
    *panels, unrolled = figure.subplots(1, 4, width_ratios=(1, 1, 1, 0.8))
    driven = [a.lead.model.contact(n) for n, i in a.currents.items() if i]
    z = float(np.mean([c.middle[1] for c in driven]))
    centre = a.lead.to_head([[0.0, 0.0, z]])[0]
    half = max(2.2 * a.volume.reach, 6 * a.lead.model.diameter)
    limit = _limit(a)
    for panel, plane in zip(panels, lead_planes(a.lead, centre, half), strict=True):
        shown = draw_plane(
            panel,
            plane,
            a.lead,
            around.medium,
            strength=lambda x: np.linalg.norm(a.steering.field(x), axis=1),
            limit=limit,
            activated=lambda x: strength_at(a.volume, x),
            currents=a.currents,
            regions={zone.name: zone.inside for zone in zones},
        )
    figure.colorbar(shown, ax=panels, label="|E| (V/m)", shrink=0.8, extend="both")
    draw_contacts(unrolled, a.lead.model, a.currents, off=a.table.setting().off)
    return figure
