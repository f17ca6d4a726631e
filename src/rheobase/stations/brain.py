"""Last station: how the response of the stimulated regions spreads over the brain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._progress import stage
from rheobase.brain_views import brain_by_region, brain_courses
from rheobase.config import Cells, Study
from rheobase.report import Section, Table
from rheobase.scenes.network import regions_layer
from rheobase.stations.cells import MICRO
from rheobase.tables.network import BrainTable

if TYPE_CHECKING:
    from rheobase.fields.waveforms.waveform import Waveform
    from rheobase.meshes.head import Head
    from rheobase.neurons.brain.simulation import Activity
    from rheobase.neurons.brain.spread import Spread
    from rheobase.stations.book import Book
    from rheobase.stations.devices import Device

SETTLE = 0.1  # s at rest before the pulse
SHOWN = 20  # regions in the table
TOP = 0.99  # quantile that is a region's strongest field


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Answered:
    """What the stimulus added to the activity of the brain.

    Parameters
    ----------
    response
        Run with the pulse less the run without.
    region
        Row of the region of each cortical column of the head, -1 for none, shape (n_columns,).
    """

    response: Activity
    region: NDArray[np.intp]


def check_brain(head: Head) -> None:
    """Refuse a head that regions of the human brain cannot be found in.

    Raises
    ------
    InputError
        If it is no human's or has no transform to MNI space.
    """
    if head.species != "human":
        raise InputError(f"[brain] has regions of the human brain, got a head of a {head.species}")
    head.to_mni(np.zeros((1, 3)))


def brain_station(
    study: Study, table: BrainTable, cells: Cells, pulse: Waveform, device: Device, book: Book
) -> Answered:
    """Find which cells of which regions fire, run the brain with and without, draw the spread."""
    from rheobase.neurons.activation import thresholds
    from rheobase.neurons.brain.connectome import load_connectome
    from rheobase.neurons.brain.regions import (
        place_in_regions,
        region_drive,
        region_probability,
        regions_of,
        schaefer100,
    )
    from rheobase.neurons.brain.simulation import BrainNetwork, simulate_brain
    from rheobase.neurons.brain.spread import response, spread

    head = device.head
    assert head.cortex is not None  # check_cortex
    connectome = load_connectome().normalised()
    atlas, names = schaefer100(), connectome.names
    middle = head.cortex.points(0.5)
    with stage("regions of the cortex"):
        region = regions_of(atlas, names, head, middle)
    E = np.linalg.norm(np.tensordot(device.amplitudes, device.basis.at(middle)[0], axes=1), axis=1)
    rows = np.arange(len(names))
    strongest = np.array(
        [np.quantile(E[region == k], TOP) if (region == k).any() else 0 for k in rows]
    )
    exposed = np.flatnonzero(strongest >= table.field_share * strongest.max())
    population = place_in_regions(
        head,
        region,
        exposed.tolist(),
        species=head.species,
        counts=dict.fromkeys(cells.types, table.placements * len(exposed)),
        seed=study.seed,
    )
    with stage(f"thresholds of {len(population):,} cells in {len(exposed)} regions"):
        recruited = thresholds(population, device.basis, waveform=pulse, mode=cells.mode)
    where = regions_of(atlas, names, head, population.position)
    probability = region_probability(recruited, where, len(names), table.intensity_A_per_us / MICRO)
    drive = region_drive(probability, times=[SETTLE], latency=table.latency_ms * 1e-3)
    network = BrainNetwork(connectome=connectome)
    duration = SETTLE + table.duration_ms * 1e-3
    driven, rest = (
        simulate_brain(network, duration, seed=study.seed, drive=d, every=10) for d in (drive, None)
    )
    answer = response(driven, rest)
    origin = names[int(probability["pyramidal"].argmax())]
    time = answer.time - SETTLE
    book.scene.append(regions_layer(head, region, time, answer.potential, names))
    found = spread(answer, connectome, origin, pulse=SETTLE, level=table.answer_uV * 1e-6)
    _save(book, driven, rest, found)
    fired = np.count_nonzero(probability["pyramidal"])
    numbers = _table(found, probability["pyramidal"])
    book.tables[f"Brain at {table.intensity_A_per_us:g} A/µs"] = numbers
    book.sections.append(
        Section(
            title="Brain",
            paragraphs=[
                f"{len(names)} regions of the cortex, coupled along a human connectome. A pulse of "
                f"{table.intensity_A_per_us:g} A/µs fires pyramidal cells in {fired} of the "
                f"{len(exposed)} regions that get {table.field_share:.0%} of the strongest field, "
                f"most in {origin}. "
                f"{np.isfinite(found.onset).sum()} regions answer by more than "
                f"{table.answer_uV:g} µV within {table.duration_ms:g} ms. Both runs share all "
                "noise; the response is their difference."
            ],
            figures=[
                book.picture("brain", brain_by_region(found), "When each region answers."),
                book.picture(
                    "brain_courses",
                    brain_courses(answer, found, pulse=SETTLE),
                    "Response of the regions, by the order of their onset.",
                ),
            ],
            tables=[numbers],
        )
    )
    book.notes.append(
        "The connectome is the mean of a group, not of this head; its regions are neural masses "
        "with the constants of one (docs/whole_brain.md)."
    )
    book.details["brain"] = {"origin": origin, "regions": len(names), "seed": study.seed}
    return Answered(response=answer, region=region)


def _table(found: Spread, pyramidal: NDArray[np.float64]) -> Table:
    """Return the regions that answer first."""
    order = np.argsort(np.where(np.isfinite(found.onset), found.onset, np.inf), kind="stable")
    order = order[: min(SHOWN, int(np.isfinite(found.onset).sum()))]
    return Table(
        columns=(
            "region",
            "pyramidal cells that fire",
            "onset (ms)",
            "peak (mV)",
            "peak at (ms)",
            "way along tracts (mm)",
        ),
        rows=[
            (
                found.names[k],
                float(pyramidal[k]),
                float(found.onset[k] * 1e3),
                float(found.peak[k] * 1e3),
                float(found.peak_time[k] * 1e3),
                float(found.distance[k] * 1e3),
            )
            for k in order
        ],
    )


def _save(book: Book, driven: Activity, rest: Activity, found: Spread) -> None:
    """Write the potentials of both runs and how the response spreads as NetCDF."""
    import xarray as xr

    data = xr.Dataset(
        {
            name: (("region", "time"), run.potential, {"units": "V"})
            for name, run in (("driven", driven), ("rest", rest))
        }
        | {
            "onset": ("region", found.onset, {"units": "s", "level_V": found.level}),
            "peak": ("region", found.peak, {"units": "V"}),
            "peak_time": ("region", found.peak_time, {"units": "s"}),
        },
        coords={
            "region": list(driven.names),
            "time": ("time", driven.time - SETTLE, {"units": "s"}),
        },
    )
    words = "Potential of each brain region"
    with book.file("brain", ".nc", title=words, role="network") as part:
        data.to_netcdf(part, engine="h5netcdf")
