"""What is written of a dose: files for the device, a study, tables, pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase._progress import stage
from rheobase.dosing_views import draw_shares
from rheobase.field_views import draw_cortex
from rheobase.meshes.spaces import is_mni
from rheobase.montage_files import Channel, rounded, write_montage
from rheobase.pose_files import MNI, NATIVE, write_poses
from rheobase.report import Section, Table
from rheobase.scenes.device import target_layer
from rheobase.stations.again import write_study
from rheobase.stations.book import write_record
from rheobase.stations.currents_book import write_field
from rheobase.stations.device_book import write_device
from rheobase.stations.dose import Felt, dose_station
from rheobase.stations.dose_tables import (
    UNITS,
    compared,
    dose_table,
    facts_of,
    known_thresholds,
    named,
    of_reference,
    paragraphs,
    peak,
    quantity,
)
from rheobase.stations.field import field_pictures
from rheobase.tables.dose import OptimiseDose
from rheobase.tables.electrodes import TI
from rheobase.tables.text import plain
from rheobase.views import COLOURS, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rheobase.fields.dose import Dose
    from rheobase.meshes.head import Head
    from rheobase.stations.book import Book
    from rheobase.tables.optimise import OptimiseStudy

MOST_mA = 1000.0  # that a study file takes
RING = 0.010  # radius of the ring that marks a target (m)
FAINT = 0.2  # opacity of a device over the cortex


def write_dose(study: OptimiseStudy, head: Head, book: Book) -> None:
    """Find the intensity, write it with the device, draw and tabulate both heads."""
    table = study.optimise
    assert isinstance(table, OptimiseDose)
    here, other, dose = dose_station(study, head)
    felts = [(here, dose.amplitude)]
    if other is not None:
        felts.insert(0, (other, of_reference(table, other)))
    unit, step = UNITS[dose.unit]
    amount = f"{dose.amplitude * step:.4g} {unit}"
    tables = {
        "Dose": dose_table(table, here, other, dose),
        "Compared": compared(table, felts),
    }
    book.tables.update(tables)
    write_device(here.placed, book)
    book.facts["Target"] = study.target.title
    book.facts["Dose"] = amount
    facts = facts_of(study, table, felts, dose)
    write_record(book, "dose", facts, title="The dose")
    _exports(study, here, dose, book)
    factor = dose.amplitude / here.own
    with stage("pictures"):
        pictures = [
            book.picture(
                "dose",
                _figure(table, felts, dose),
                "On the cortex, in the same colours: the reference at its intensity and the head "
                "at hand at the dose; the red ring is over the target. Right: which share of the "
                "target has more field, or which share of the cells fires.",
            ),
            *field_pictures(
                here.head,
                here.device.basis,
                here.device.strength * factor,
                name=here.device.name,
                unit=f"V/m at {amount}",
                limit=peak(here) * factor,
                centre=here.target.centre,
                devices=here.placed.layers,
                view=here.placed.view,
                book=book,
            ),
        ]
    quantities = {name: value * factor for name, value in here.device.quantities.items()}
    write_field(here.head, here.device.basis, quantities, book)
    book.sections.append(
        Section(
            title="Dose",
            paragraphs=paragraphs(table, felts, dose, amount),
            figures=pictures,
            tables=[Table(columns=t.columns, rows=t.rows, title=k) for k, t in tables.items()],
        )
    )
    for felt, _ in felts:
        book.notes.extend(felt.placed.notes)
        if felt.cells is not None:
            name = felt.case.name
            words = f"Thresholds of cells, {name}"
            with book.file("recruitment", ".nc", desc=name, title=words, role="cells") as part:
                felt.cells.save(part)
            book.notes.extend(felt.cells.notes)
    coil = here.placed.coil
    if coil is not None and coil.dIdt_max is not None and dose.amplitude > coil.dIdt_max:
        book.notes.append(
            f"{amount} are needed; the stimulator of coil {coil.name!r} gives at most "
            f"{coil.dIdt_max * step:g} {unit}."
        )
    book.notes.append(
        "A dose is not a permission: limits of devices, heating and safety guidelines are not "
        "checked."
    )
    book.details["optimise"] = facts


def _exports(study: OptimiseStudy, here: Felt, dose: Dose, book: Book) -> None:
    """Write the device with its intensity, and a study of it."""
    step = UNITS[dose.unit][1]
    facts = {"title": study.title, "head": here.head.name, "target": study.target.title}
    title = f"{study.title}: the dose that was found"
    device = plain(study.device)
    coil = here.placed.coil
    if coil is not None:
        rate = dose.amplitude * step
        write_poses(
            book.door("pose", title="Pose of the coil", role="montage"),
            coil.pose[None],
            names=["dose"],
            rows=[{"dIdt_A_per_us": rate}],
            facts={**facts, "space": here.head.space, "coil": coil.name},
            space=MNI if is_mni(here.head.space) else NATIVE,
        )
        what = {"device": device, "results": {"intensity_A_per_us": rate}}
        write_study(book, study, {"title": title, **what})
        return
    factor = dose.amplitude / here.own
    montages = here.placed.montages
    carriers = [0.0] * len(montages)
    if isinstance(study.device, TI):
        carriers = [pair.carrier_Hz for pair in study.device.pairs]
    currents = [rounded(np.array(m.currents) * factor) for m in montages]
    channels = [
        Channel(
            currents=dict(zip([e.name for e in m.electrodes], I.tolist(), strict=True)), carrier=c
        )
        for m, I, c in zip(montages, currents, carriers, strict=True)  # noqa: E741
    ]
    places = {e.name: e.centre for m in montages for e in m.electrodes}
    door = book.door("montage", title="Currents of the electrodes", role="montage")
    write_montage(door, channels, positions=places, facts=facts)
    largest = max(float(np.abs(I).max()) for I in currents) * 1e3  # noqa: E741
    if largest > MOST_mA:
        book.notes.append(
            f"{largest:.4g} mA through an electrode are more than a study file takes "
            f"({MOST_mA:g} mA): there is no run.toml."
        )
        return
    _set_currents(device, currents)
    write_study(book, study, {"title": title, "device": device})


def _set_currents(device: dict[str, Any], currents: list[Any]) -> None:
    """Put currents (A) of each montage into ``[device]``."""
    mA = [[round(i * 1e3, 9) for i in one.tolist()] for one in currents]
    if "montage_4x1" in device:
        device["montage_4x1"]["current_mA"] = mA[0][0]
        return
    if "pairs" in device:
        for pair, one in zip(device["pairs"], mA, strict=True):
            pair["current_mA"] = one[0]
        return
    for electrode, i in zip(device["electrodes"], mA[0], strict=True):
        electrode["current_mA"] = i


def _figure(table: OptimiseDose, felts: list[tuple[Felt, float]], dose: Dose) -> Figure:
    """Draw both heads in the same colours, and the shares of target or cells."""
    unit, step = UNITS[dose.unit]
    heads = all(f.head.cortex is not None for f, _ in felts)
    n = len(felts) if heads else 0
    figure = new_figure(5.2 * n + 5.0, 4.8)
    panels = figure.subplots(1, n + 1, squeeze=False)[0]
    limit = max(peak(f) * a / f.own for f, a in felts)
    for panel, (felt, a) in zip(panels[:n], felts, strict=False):
        assert felt.head.cortex is not None
        strength = felt.device.strength * (a / felt.own)
        on_cortex, _ = felt.device.basis.interpolate(strength, felt.head.cortex.points(0.5))
        devices = [layer.but(opacity=FAINT) for layer in felt.placed.layers]
        devices.append(target_layer(felt.head, felt.target.centre, RING))
        shown = draw_cortex(
            panel,
            felt.head,
            np.nan_to_num(on_cortex),
            limit=limit,
            view=felt.placed.view,
            devices=devices,
        )
        panel.set_title(f"{felt.case.name}: {felt.head.name}, {a * step:.4g} {unit}", fontsize=10)
    if n:
        name = felts[-1][0].device.name.partition(",")[0]
        figure.colorbar(shown, ax=panels[:n], label=f"{name} (V/m)", shrink=0.7, extend="max")
    _draw_curves(panels[-1], table, felts, dose)
    return figure


def _draw_curves(
    panel: Any, table: OptimiseDose, felts: list[tuple[Felt, float]], dose: Dose
) -> None:
    unit, step = UNITS[dose.unit]
    here, _ = felts[-1]
    colours = dict(zip(("here", "reference"), COLOURS, strict=False))
    if here.cells is not None:
        draw_shares(
            panel,
            {
                f"{f.case.name}, {f.head.name}": (
                    known_thresholds(f) * step,
                    np.ones(len(known_thresholds(f))),
                    colours[f.case.name],
                )
                for f, _ in felts
            },
            above=False,
            xlabel=f"intensity ({unit})",
            ylabel=f"{here.cells.type[0]} cells that fire (%)",
            marks={
                f"{a * step:.4g} {unit}, {f.case.name}": (a * step, colours[f.case.name])
                for f, a in felts
            },
        )
        return
    curves = {
        f"{f.case.name} at {a * step:.4g} {unit}": (
            f.exposure.values * a,
            f.exposure.weights,
            colours[f.case.name],
        )
        for f, a in felts
    }
    before = felts[0][1] if len(felts) > 1 else here.own
    if len(felts) > 1 or unit == "mA":
        curves[f"here at {before * step:.4g} {unit}"] = (
            here.exposure.values * before,
            here.exposure.weights,
            "0.7",
        )
    draw_shares(
        panel,
        curves,
        above=True,
        xlabel=f"{quantity(here)} in the target (V/m)",
        ylabel="share of the target with more (%)",
        marks={f"{named(table.statistic)}, {dose.value:.4g} V/m": (dose.value, "k")},
    )
