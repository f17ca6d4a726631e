"""Third station: the cells and their thresholds."""

from __future__ import annotations

from math import inf, isnan
from typing import TYPE_CHECKING

import numpy as np

from rheobase._errors import InputError
from rheobase.config import Cells, Study
from rheobase.report import Section, Table
from rheobase.scenes.cells import recruited_layer
from rheobase.stations.recruited import layers_note, recruited_cells
from rheobase.tables.coil import TMS
from rheobase.views import depths, recruitment

if TYPE_CHECKING:
    from rheobase.fields.waveforms.waveform import Waveform
    from rheobase.meshes.head import Head
    from rheobase.neurons.recruitment import Recruitment
    from rheobase.stations.book import Book
    from rheobase.stations.devices import Device

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
    from rheobase.neurons.recruitment import POLARITIES

    head = device.head
    recruited, centre = recruited_cells(study, table, pulse, device)
    book.notes.append(layers_note(table, head))
    with book.file("recruitment", ".nc", title="Thresholds of cells", role="cells") as part:
        recruited.save(part)
    mark = study.network.intensity_A_per_us if study.network else None
    book.scene.append(recruited_layer(recruited, scale=MICRO, unit="A/µs", amplitude=mark))
    amplitudes = tms.intensities_A_per_us.values()
    curves = recruited.shares(amplitudes / MICRO, by=("type",))
    xlabel = "largest rate of change of the coil current (A/µs)"
    names = {"plus": "first phase as set", "minus": "current reversed"}
    by_type = {
        cell: {names[p]: curves[g, k] for k, p in enumerate(POLARITIES)}
        for g, (cell,) in enumerate(recruited.groups(("type",)))
    }
    lowest = recruited.threshold.min(axis=0) * MICRO
    pictures = [
        book.drawn(
            "recruitment",
            f"Share of the placed cells of each type that fire, within {table.radius_mm:g} mm of "
            f"{'the strongest field' if table.centre is None else table.centre}.",
            recruitment,
            by_type,
            amplitudes,
            xlabel=xlabel,
            mark=mark,
        ),
        book.drawn(
            "depths",
            "Threshold of each cell in its better polarity against the depth of its soma.",
            depths,
            lowest,
            recruited.depth,
            recruited.type,
            xlabel="threshold (A/µs)",
        ),
    ]
    shown = sorted({a for a in (mark, tms.intensities_A_per_us.stop) if a is not None})
    by = ("type", "layer")
    at = recruited.shares(np.array(shown) / MICRO, by)
    medians = recruited.levels([0.05, 0.5], by) * MICRO
    rows: list[tuple[str | float | int, ...]] = [
        (
            *labels,
            len(members),
            names[p],
            *medians[g, k].tolist(),
            *at[g, k].tolist(),
        )
        for g, (labels, members) in enumerate(recruited.groups(by).items())
        for k, p in enumerate(POLARITIES)
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
        f"{len(recruited):,}; {first[0]} fire first, half of them at {float(first[5]):.3g} A/µs "
        f"({first[3]})"
    )
    book.sections.append(
        Section(
            title="Cells",
            paragraphs=[
                f"{len(recruited):,} generated {head.species} cells, mode "
                f"{recruited.mode!r}, pulse {pulse.name}. One threshold for each cell and "
                "polarity; the curves are their empirical distribution."
            ],
            figures=pictures,
            tables=[recruitment_table],
        )
    )
    book.notes.extend(recruited.notes)
    book.details["cells"] = {"centre_m": centre, "count": len(recruited), "mode": recruited.mode}
    return recruited
