"""Third station: the cells and their thresholds."""

from __future__ import annotations

from math import ceil, inf, isnan
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._progress import stage
from rheobase.config import Cells, Study
from rheobase.report import Section, Table
from rheobase.scenes.cells import recruited_layer
from rheobase.stations.field import hot_spot
from rheobase.tables.coil import TMS
from rheobase.views import depths, recruitment

if TYPE_CHECKING:
    from rheobase.fields.waveforms.waveform import Waveform
    from rheobase.meshes.head import Head
    from rheobase.neurons.placement import Population
    from rheobase.neurons.recruitment import Recruitment
    from rheobase.stations.book import Book
    from rheobase.stations.devices import Device

SPARE = 1.6  # cells drawn for each one wanted: those outside the mesh's grey matter are left out
FARTHEST = 0.05  # a scalp position is that near to the cortex (m)
MICRO = 1e-6  # A/s to A/µs: the amplitude of a coil is A/s inside and A/µs to people


def check_cortex(table: Cells, head: Head) -> None:
    """Refuse cells that this head, species or area has no place for.

    Raises
    ------
    InputError
        If the head has no cortical sheet, or the species or area no layer table or not that layer.
    """
    from rheobase.meshes.cortex.layers import layer_table
    from rheobase.neurons.generate import type_layer

    if head.cortex is None:
        why = "; ".join(str(n) for n in head.provenance.get("notes", ()))
        raise InputError(
            f"[cells] needs a head with a cortical sheet, {head.name!r} has none"
            + (f" ({why})" if why else "")
        )
    layers = layer_table(head.species, table.area)
    for name in table.types:
        layers.layer(type_layer(name))


def cells_station(
    study: Study, table: Cells, tms: TMS, pulse: Waveform, device: Device, book: Book
) -> Recruitment:
    """Place the cells, find their thresholds, draw recruitment."""
    from rheobase.neurons.activation import thresholds

    head = device.head
    population, centre = placed_cells(study, table, device, book)
    with stage(f"thresholds of {len(population):,} cells"):
        recruited = thresholds(population, device.basis, waveform=pulse, mode=table.mode)
    with book.file("recruitment", ".nc", title="Thresholds of cells", role="cells") as part:
        recruited.save(part)
    mark = study.network.intensity_A_per_us if study.network else None
    book.scene.append(recruited_layer(recruited, scale=MICRO, unit="A/µs", amplitude=mark))
    amplitudes = tms.intensities_A_per_us.values()
    curves = recruited.probability(amplitudes / MICRO, by=("type",))
    xlabel = "largest rate of change of the coil current (A/µs)"
    names = {"plus": "first phase as set", "minus": "current reversed"}
    by_type = {
        str(cell): {
            names[str(p)]: curves.sel(polarity=p).isel(group=g).values
            for p in curves.polarity.values
        }
        for g, cell in enumerate(curves["type"].values)
    }
    lowest = recruited.threshold.min(axis=0) * MICRO
    pictures = [
        book.picture(
            "recruitment",
            recruitment(by_type, amplitudes, xlabel=xlabel, mark=mark),
            f"Share of the placed cells of each type that fire, within {table.radius_mm:g} mm of "
            f"{'the strongest field' if table.centre is None else table.centre}.",
        ),
        book.picture(
            "depths",
            depths(lowest, recruited.depth, recruited.type, xlabel="threshold (A/µs)"),
            "Threshold of each cell in its better polarity against the depth of its soma.",
        ),
    ]
    shown = sorted({a for a in (mark, tms.intensities_A_per_us.stop) if a is not None})
    at = recruited.probability(np.array(shown) / MICRO, by=("type", "layer"))
    medians = recruited.quantiles([0.05, 0.5], by=("type", "layer")) * MICRO
    rows: list[tuple[str | float | int, ...]] = [
        (
            str(at["type"].values[g]),
            str(at["layer"].values[g]),
            int(at["placements"].values[g]),
            names[str(p)],
            *(float(q) for q in medians.isel(group=g).sel(polarity=p).values),
            *(float(v) for v in at.isel(group=g).sel(polarity=p).values),
        )
        for g in range(at.sizes["group"])
        for p in at.polarity.values
    ]
    recruitment_table = Table(
        columns=(
            "cell type",
            "layer",
            "cells",
            "polarity",
            "5 % threshold (A/µs)",
            "median threshold (A/µs)",
            *(f"fires at {a:g} A/µs" for a in shown),
        ),
        rows=rows,
    )
    book.tables["Recruitment"] = recruitment_table
    first = min(rows, key=lambda row: inf if isnan(float(row[5])) else float(row[5]))
    book.facts["Cells"] = (
        f"{len(population):,}; {first[0]} fire first, half of them at {float(first[5]):.3g} A/µs "
        f"({first[3]})"
    )
    book.sections.append(
        Section(
            title="Cells",
            paragraphs=[
                f"{len(population):,} generated {head.species} cells, mode "
                f"{recruited.mode!r}, pulse {pulse.name}. One threshold for each cell and "
                "polarity; the curves are their empirical distribution."
            ],
            figures=pictures,
            tables=[recruitment_table],
        )
    )
    book.notes.extend(recruited.notes)
    book.details["cells"] = {"centre_m": centre, "count": len(population), "mode": recruited.mode}
    return recruited


def placed_cells(
    study: Study, table: Cells, device: Device, book: Book
) -> tuple[Population, NDArray[np.float64]]:
    """Place the cells of a study, and return the point around which (m), shape (3,), with them."""
    from rheobase.meshes.cortex.layers import layer_table
    from rheobase.neurons.placement import place_in_sheet

    head = device.head
    assert head.cortex is not None  # check_cortex
    centre = _centre(table, head, device)
    with stage("placing the cells"):
        drawn = place_in_sheet(
            head.cortex,
            species=head.species,
            counts=dict.fromkeys(table.types, ceil(SPARE * table.placements)),
            seed=study.seed,
            centre=centre,
            radius=table.radius_mm * 1e-3,
            area=table.area,
        )
        population = _in_grey(drawn, head, device, table.placements)
    layers = layer_table(head.species, table.area)
    book.notes.append(
        f"Cortical layers are those of {head.species} {layers.area} ({layers.source}); cells whose "
        "soma fell outside the mesh's grey matter were drawn anew."
    )
    return population, centre


def _in_grey(drawn: Population, head: Head, device: Device, count: int) -> Population:
    """Return the first ``count`` cells of each type whose soma lies in the mesh's grey matter.

    Where the mesh is coarser than the cortical sheet, part of the sheet lies in its white matter or
    CSF, whose field is not that of the cells there.
    """
    tet, _ = device.basis.locator.locate(drawn.position)
    grey = (tet >= 0) & (head.mesh.labels[tet] == head.label_of("grey_matter"))
    kept = [np.flatnonzero(grey & (drawn.type == t))[:count] for t in np.unique(drawn.type)]
    if any(len(k) == 0 for k in kept):
        raise InputError("no soma lies in grey matter: choose another centre or a finer mesh")
    return drawn.select(np.sort(np.concatenate(kept)))


def _centre(table: Cells, head: Head, device: Device) -> NDArray[np.float64]:
    """Return the point around which cells are placed: given, or where the field is strongest."""
    if table.centre is None:
        return hot_spot(head, device, device.strength)
    if isinstance(table.centre, str):
        point = head.position(table.centre)
    else:
        point = np.array(table.centre) * 1e-3
    assert head.cortex is not None  # check_cortex
    middle = head.cortex.points(0.5)
    away = np.linalg.norm(middle - point, axis=1)
    if away.min() > FARTHEST:
        raise InputError(
            f"cells.centre must lie near the cortex, got a point {away.min() * 1e3:.0f} mm from it"
        )
    nearest: NDArray[np.float64] = middle[int(away.argmin())]
    return nearest
