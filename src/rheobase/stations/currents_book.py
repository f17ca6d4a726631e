"""What is written of optimised currents: files, tables, pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rheobase._progress import stage
from rheobase.dosing_views import (
    AT_LIMIT,
    draw_currents,
    draw_front,
    draw_limits,
    draw_shares,
    flat_head,
)
from rheobase.montage_files import Channel, rounded, write_montage
from rheobase.report import Section, Table
from rheobase.scenes.device import electrode_layers
from rheobase.stations.again import RADIUS_MM, device_of, write_study
from rheobase.stations.book import write_rows
from rheobase.stations.field import field_pictures
from rheobase.stations.placing import direction_to
from rheobase.tables.optimise import OptimiseStudy, OptimiseTES, OptimiseTI
from rheobase.views import COLOURS, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rheobase.fields.basis import FieldBasis
    from rheobase.fields.electrodes.montage import Montage
    from rheobase.fields.focality import Focality
    from rheobase.fields.leadfield import LeadField
    from rheobase.fields.optimisation.target import Target
    from rheobase.meshes.head import Head
    from rheobase.neurons.recruitment import Recruitment
    from rheobase.stations.book import Book

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Found:
    """Currents that were found, for tables, pictures and files.

    Parameters
    ----------
    names
        Electrodes of the lead field, n of them.
    currents
        Current (A) of each channel, shape (n_channels, n).
    carriers
        Frequency of each channel (Hz), 0 for direct current.
    quantity, unit
        What was made large, in words, and its unit.
    value
        It in the target.
    proved, gap
        What is proved of the goal, in words, and the relative gap between it and what was reached,
        None where there is none.
    rms
        Root mean square off the target (V/m).
    active
        Limits that are reached.
    strongest
        The largest value within the limits, None where it is not known.
    fronts
        Trade-offs by name: values in the target and rms off it.
    cells
        Their thresholds, as parts of the currents; None where the field counts.
    notes
        What a reader must know of them.
    """

    names: tuple[str, ...]
    currents: Floats
    carriers: tuple[float, ...]
    quantity: str
    unit: str
    value: float
    proved: str
    gap: float | None
    rms: float
    active: tuple[str, ...]
    strongest: float | None
    fronts: Mapping[str, tuple[Floats, Floats]]
    cells: Recruitment | None = None
    notes: tuple[str, ...] = ()


def write_found(
    study: OptimiseStudy,
    table: OptimiseTES | OptimiseTI,
    head: Head,
    field: LeadField,
    target: Target,
    found: Found,
    book: Book,
) -> None:
    """Put what was found, in whole steps of a stimulator, into the book."""
    from rheobase.fields.focality import tissue_focality

    found = replace(found, currents=np.stack([rounded(x) for x in found.currents]))
    channels = [
        Channel(currents=dict(zip(found.names, I.tolist(), strict=True)), carrier=carrier)
        for I, carrier in zip(found.currents, found.carriers, strict=True)  # noqa: E741
    ]
    write_montage(
        book.door("montage", title="Currents of the electrodes", role="montage"),
        channels,
        positions=head.positions,
        facts={
            "title": study.title,
            "head": head.name,
            "target": study.target.title,
            "goal": table.goal,
            f"in_target_{_as_key(found.unit)}": found.value,
        },
    )
    device = device_of(channels)
    if device is not None:
        what = {"title": f"{study.title}: the currents that were found", "device": device}
        write_study(book, study, what)
    _write_fronts(found, book)
    if found.cells is not None:
        with book.file("recruitment", ".nc", title="Thresholds of cells", role="cells") as part:
            found.cells.save(part)
    basis, strength, quantities = _fields(field, channels)
    region = study.target.region(head)
    within = tuple(dict.fromkeys([*table.spare, *study.target.tissues]))
    spread = tissue_focality(basis, strength, head, tissues=within, target=region)
    assert spread.target is not None  # the target holds some of the tissues
    tables = _tables(table, found, channels, spread, within)
    book.tables.update(tables)
    centre = target.centre
    colours = None if len(channels) == 1 else COLOURS[: len(channels)]
    devices = electrode_layers(head, _montages(head, channels), colours=colours)
    name = "E magnitude" if len(channels) == 1 else "TI envelope, peak to peak"
    with stage("pictures"):
        pictures = [
            book.picture(
                "currents",
                _figure(head, found, channels, table),
                "Currents on the scalp seen from above, the limits they use, and the trade-off "
                "between the target and the rest, or the cells that fire.",
            ),
            *field_pictures(
                head,
                basis,
                strength,
                name=name,
                unit="V/m",
                limit=spread.reference,
                centre=centre,
                E=quantities.get("E"),
                devices=devices,
                view=direction_to(head, centre),
                book=book,
            ),
        ]
    write_field(head, basis, quantities, book)
    where = ", ".join(str(round(c * 1e3)) for c in centre.tolist())
    book.facts["Target"] = f"{study.target.title} at ({where}) mm"
    book.facts["Found"] = f"{found.quantity}: {found.value:.3g} {found.unit}"
    book.facts["Goal"] = f"{table.goal}, {_limits_text(table)}"
    reached = "; reached: " + ", ".join(found.active) if found.active else ""
    book.sections.append(
        Section(
            title="Currents",
            paragraphs=[
                f"Target: {study.target.title}, {target.volume * 1e6:.2f} cm³ of "
                f"{', '.join(study.target.tissues)} around ({where}) mm. Goal: {table.goal} within "
                f"{_limits_text(table)}{reached}.",
                f"In the target, the {found.quantity}: {found.value:.3g} {found.unit}. "
                f"{found.proved}"
                + ("" if found.gap is None else f" The relative gap to that is {found.gap:.1g}.")
                + " "
                "Electrodes are discs of 6 mm radius; currents in the files are whole microampere.",
            ],
            figures=pictures,
            tables=[Table(columns=t.columns, rows=t.rows, title=k) for k, t in tables.items()],
        )
    )
    book.notes.extend(found.notes)
    book.notes.append(
        "The optimum is that of this head model: its error of the field, and that of anatomy and "
        "conductivities, moves it (rheobase uncertainty)."
    )
    book.details["optimise"] = {
        "kind": table.kind,
        "goal": table.goal,
        "target": study.target.title,
        "target_centre_m": centre,
        "target_volume_m3": target.volume,
        "lead_field": {"electrodes": len(field.names), "reference": field.reference},
        "currents_A": [{k: v for k, v in c.currents.items() if v} for c in channels],
        "value": found.value,
        "unit": found.unit,
        "proved": found.proved,
        "gap": found.gap,
        "active": list(found.active),
    }


def _as_key(unit: str) -> str:
    return {"%": "percent"}.get(unit, unit.replace("/", "_per_"))


def _fields(
    field: LeadField, channels: Sequence[Channel]
) -> tuple[FieldBasis, Floats, dict[str, Floats]]:
    """Return the basis of the channels, what is drawn of their field, and what is written."""
    basis = field.basis({f"channel {k}": c.currents for k, c in enumerate(channels, start=1)})
    a = np.array([sum(i for i in c.currents.values() if i > 0) for c in channels])
    if len(channels) == 1:
        E = basis.combine(a)
        return basis, np.linalg.norm(E, axis=1), {"E": E}
    from rheobase.fields.interference import carrier_max, envelope_max

    fields = a[:, None, None] * basis.E
    envelope = envelope_max(fields)
    return basis, envelope, {"maxTI": envelope, "max_carrier": carrier_max(fields)}


def _montages(head: Head, channels: Sequence[Channel]) -> list[Montage]:
    """Return the electrodes of each channel, for a picture."""
    from rheobase.fields.electrodes.electrode import place_electrode
    from rheobase.fields.electrodes.montage import Montage
    from rheobase.meshes.placing.outlines import Disc

    made = []
    for k, channel in enumerate(channels, start=1):
        used = {n: i for n, i in channel.currents.items() if i}
        electrodes = [
            place_electrode(head, n, shape=Disc(radius_mm=RADIUS_MM), model="ideal") for n in used
        ]
        made.append(
            Montage(name=f"{k}", electrodes=tuple(electrodes), currents=tuple(used.values()))
        )
    return made


def _tables(
    table: OptimiseTES | OptimiseTI,
    found: Found,
    channels: Sequence[Channel],
    spread: Focality,
    within: Sequence[str],
) -> dict[str, Table]:
    """Return currents, limits, what is reached, and the trade-off."""
    on = spread.target
    assert on is not None
    several = len(channels) > 1
    rows: list[tuple[str | float, ...]] = []
    for k, channel in enumerate(channels, start=1):
        carrier = (f"{k}, {channel.carrier:g} Hz",) if several else ()
        for name, current in sorted(channel.currents.items(), key=lambda item: -item[1]):
            if current:
                rows.append((*carrier, name, current * 1e3))
    used, allowed = _use(table, found)
    what = "envelope" if several else "|E|"
    reached = Table(
        columns=("quantity", "value", "unit"),
        rows=[
            (f"{found.quantity}, in the target", found.value, found.unit),
            *(
                []
                if found.strongest is None
                else [("the largest that the limits allow", found.strongest, found.unit)]
            ),
            (f"mean {what} in the target", on.mean, "V/m"),
            (f"mean {what} elsewhere", on.mean_elsewhere, "V/m"),
            ("root mean square off the target", found.rms, "V/m"),
            (f"{what}, 99.9 % of {', '.join(within).replace('_', ' ')}", spread.reference, "V/m"),
        ],
    )
    tables = {
        "Currents": Table(
            columns=(*(("channel",) if several else ()), "electrode", "current (mA)"), rows=rows
        ),
        "Limits": Table(
            columns=("limit", "used", "allowed", "reached"),
            rows=[
                (
                    name,
                    used[name],
                    allowed[name],
                    "yes" if used[name] >= (1 - AT_LIMIT) * allowed[name] else "no",
                )
                for name in used
            ],
        ),
        "Reached": reached,
    }
    if found.fronts:
        tables["Trade-off"] = Table(
            columns=("with", f"in the target ({found.unit})", "off it, rms (V/m)"),
            rows=[
                (name, float(v), float(r))
                for name, (value, rms) in found.fronts.items()
                for v, r in zip(value, rms, strict=True)
            ],
        )
    return tables


def _use(
    table: OptimiseTES | OptimiseTI, found: Found
) -> tuple[dict[str, float], dict[str, float]]:
    """Return what is used of each limit and what is allowed (mA, or a number)."""
    size = np.abs(found.currents).sum(axis=0) * 1e3
    used = {"total (mA)": float(size.sum() / 2)}
    allowed = {"total (mA)": table.total_mA}
    if table.electrodes is not None:
        used["electrodes"] = float(np.count_nonzero(size))
        allowed["electrodes"] = float(table.electrodes)
    if table.each_mA is not None:
        for k in np.argsort(-size)[: max(1, np.count_nonzero(size))]:
            used[f"{found.names[k]} (mA)"] = float(size[k])
            allowed[f"{found.names[k]} (mA)"] = table.each_mA
    return used, allowed


def _limits_text(table: OptimiseTES | OptimiseTI) -> str:
    parts = [f"{table.total_mA:g} mA in all"]
    if table.each_mA is not None:
        parts.append(f"{table.each_mA:g} mA an electrode")
    if table.electrodes is not None:
        parts.append(f"{table.electrodes} electrodes")
    return ", ".join(parts)


def _figure(
    head: Head, found: Found, channels: Sequence[Channel], table: OptimiseTES | OptimiseTI
) -> Figure:
    """Draw the currents of each channel, the limits, and the trade-off."""
    n = len(channels)
    count = n + 1 + bool(found.fronts) + (found.cells is not None)
    figure = new_figure(4.4 * count, 4.2)
    panels = figure.subplots(1, count, squeeze=False)[0]
    places = np.array([head.position(name) for name in found.names])
    centre = (head.mesh.nodes.min(axis=0) + head.mesh.nodes.max(axis=0)) / 2
    vertex = head.positions.get("Cz", head.mesh.nodes[head.mesh.nodes[:, 2].argmax()])
    flat = flat_head(places, vertex=vertex, centre=centre)
    limit = float(np.abs(found.currents).max())
    for panel, channel in zip(panels, channels, strict=False):
        I = np.array([channel.currents[name] for name in found.names])  # noqa: E741
        shown = draw_currents(panel, flat, I, found.names, limit=limit)
        panel.set_title(f"{channel.carrier:g} Hz" if n > 1 else "currents", fontsize=10)
    figure.colorbar(shown, ax=panels[:n], label="current into the head (mA)", shrink=0.75)
    draw_limits(panels[n], *_use(table, found))
    panels[n].set_title("limits", fontsize=10)
    if found.fronts:
        draw_front(
            panels[-1],
            found.fronts,
            xlabel="off the target, rms (V/m)",
            ylabel=f"{found.quantity},\nin the target ({found.unit})",
            chosen={"chosen": (found.value, found.rms)},
        )
        panels[-1].set_title("trade-off", fontsize=10)
    if found.cells is not None:
        part = found.cells.threshold[0]
        total = float(np.abs(found.currents).sum() / 2) * 1e3
        draw_shares(
            panels[-1],
            {"these currents, scaled": (part * total, np.ones(len(part)), COLOURS[0])},
            above=False,
            xlabel="current in all (mA)",
            ylabel="cells that fire (%)",
            marks={"chosen": (total, "k")},
        )
    return figure


def write_field(head: Head, basis: FieldBasis, quantities: dict[str, Floats], book: Book) -> None:
    """Write quantities of a field for VTK."""
    from rheobase.fields.results.write import write_fields

    door = book.door("field", title="Field", role="field")
    write_fields(basis, quantities, head, door, formats=("vtu",))


def _write_fronts(found: Found, book: Book) -> None:
    """Write the trade-offs as a table."""
    reached = f"in_target_{_as_key(found.unit)}"
    rows = [
        {"with": name, reached: v, "off_target_rms_V_per_m": r}
        for name, (value, rms) in found.fronts.items()
        for v, r in zip(value.tolist(), rms.tolist(), strict=True)
    ]
    if rows:
        write_rows(book, "tradeoff", rows, title="Field in and off the target")
