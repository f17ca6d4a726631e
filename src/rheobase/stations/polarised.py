"""Third station under electrodes: how far the field shifts the membrane of the cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rheobase._progress import stage
from rheobase.config import Cells, Study
from rheobase.report import Section, Table
from rheobase.scenes.cells import polarised_layer
from rheobase.stations.recruited import centre_of, layers_note, placed_cells
from rheobase.tables.electrodes import TI
from rheobase.views import depths

if TYPE_CHECKING:
    import xarray as xr

    from rheobase.stations.book import Book
    from rheobase.stations.devices import Device

NAMES = {
    "soma": "soma",
    "initial_segment": "initial segment",
    "basal": "strongest basal tip",
    "apical": "strongest apical tip",
    "terminal": "strongest axon end",
}


def polarisation_station(study: Study, table: Cells, device: Device, book: Book) -> xr.Dataset:
    """Place the cells, find what the current does to their membranes, draw and tabulate it.

    Returns
    -------
    Dataset
        As `rheobase.neurons.subthreshold.polarisation` gives it.
    """
    from rheobase.neurons.subthreshold import polarisation

    centre = centre_of(table, device)
    population = placed_cells(study, table, device, centre)
    book.notes.append(layers_note(table, device.head))
    if isinstance(study.device, TI):
        frequency = np.array(study.device.carriers().frequencies)
        weights = np.diag(device.amplitudes)  # every pair at its own carrier
    else:
        frequency, weights = np.array([table.frequency_Hz]), device.amplitudes
    with stage(f"polarisation of {len(population):,} cells"):
        found = polarisation(population, device.basis, frequency=frequency, weights=weights)
    with book.file("polarisation", ".nc", title="Polarisation of cells", role="cells") as part:
        found.to_netcdf(part, engine="h5netcdf")
    where = "the strongest field" if table.centre is None else table.centre
    soma = found.amplitude.sel(site="soma", statistic="mean").isel(frequency=0)
    book.scene.append(polarised_layer(population.position, soma.values, found.type.values))
    picture = book.picture(
        "polarisation",
        depths(
            1e3 * soma.values,
            found.depth.values,
            found.type.values,
            xlabel=f"polarisation of the soma at {frequency[0]:g} Hz (mV)",
            signed=True,
        ),
        f"Polarisation of every soma within {table.radius_mm:g} mm of {where}; at 0 Hz above 0 is "
        "a depolarisation.",
    )
    numbers = _table(found)
    book.facts["Cells"] = (
        f"{len(population):,}; somata polarised by up to {1e3 * float(np.abs(soma).max()):.3g} mV "
        f"at {frequency[0]:g} Hz"
    )
    book.tables["Polarisation"] = numbers
    book.sections.append(
        Section(
            title="Cells",
            paragraphs=[
                f"{len(population):,} generated {device.head.species} cells at rest. Their own "
                "membranes, linearised, answer at the frequency of the current"
                + (
                    ": each pair at its own carrier and nothing at the beat, for a linear membrane "
                    "does not demodulate."
                    if isinstance(study.device, TI)
                    else "."
                )
            ],
            figures=[picture],
            tables=[numbers],
        )
    )
    book.notes.extend(n for n in str(found.notes).split("; ") if n)
    book.details["cells"] = {
        "centre_m": centre,
        "count": len(population),
        "frequencies_Hz": frequency.tolist(),
    }
    return found


def _table(found: xr.Dataset) -> Table:
    """Return quantiles over the cells of each type, by frequency and site (mV)."""
    rows: list[tuple[str | float | int, ...]] = []
    for f in range(found.sizes["frequency"]):
        for kind in dict.fromkeys(found.type.values.tolist()):
            mine = found.amplitude.isel(frequency=f, placement=found.type.values == kind)
            for site, name in NAMES.items():
                a = 1e3 * mine.sel(site=site, statistic="largest").values
                a = a[np.isfinite(a)]
                if len(a):
                    low, middle, high = (float(q) for q in np.quantile(a, [0.05, 0.5, 0.95]))
                    hz = float(found.frequency[f])
                    rows.append((kind, f"{hz:g}", name, len(a), low, middle, high))
    return Table(
        columns=(
            "cell type",
            "frequency (Hz)",
            "site",
            "cells",
            "5 % (mV)",
            "median (mV)",
            "95 % (mV)",
        ),
        rows=rows,
    )
