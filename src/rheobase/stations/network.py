"""Fourth station: what the local circuit does with the cells that fire."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase._netcdf import write_netcdf
from rheobase._progress import stage
from rheobase.config import Study
from rheobase.network_views import network_response
from rheobase.report import Section, Table
from rheobase.stations.cells import MICRO
from rheobase.stations.network_runs import run_microcircuit
from rheobase.tables.network import Microcircuit

if TYPE_CHECKING:
    from rheobase.neurons.network.simulation import Spikes
    from rheobase.neurons.recruitment import Recruitment
    from rheobase.stations.book import Book

SETTLE = 0.5  # time that the network is given to forget its start (s)
BEFORE, AFTER = 0.05, 0.1  # window around each pulse (s)


def network_station(study: Study, table: Microcircuit, recruited: Recruitment, book: Book) -> None:
    """Drive the circuit with the activation probabilities and compare with no pulse."""
    from rheobase.neurons.network.drive import Drive
    from rheobase.neurons.network.microcircuit import microcircuit, microcircuit_probabilities
    from rheobase.neurons.network.readout import evoked_response, evoked_wave, raster

    by = ("type",)
    chance = recruited.shares([table.intensity_A_per_us / MICRO], by)[:, 0, 0]  # as set
    probability = microcircuit_probabilities(
        {name: p for (name,), p in zip(recruited.groups(by), chance.tolist(), strict=True)}
    )
    pulses = SETTLE + table.interval_ms * 1e-3 * np.arange(table.pulses)
    duration = float(pulses[-1]) + AFTER + BEFORE
    with stage("wiring the network"):
        network = microcircuit(scale=table.scale, seed=study.seed)
    drive = Drive(probability=probability, times=pulses, latency=table.latency_ms * 1e-3)
    made: dict[str, Any] = {"scale": table.scale, "seed": study.seed}
    with stage("running the network"):
        driven = run_microcircuit(network, duration, **made, drive=drive)
        free = run_microcircuit(network, duration, **made)
    window = {"before": BEFORE, "after": AFTER}
    response, quiet = (evoked_response(s, pulses, **window) for s in (driven, free))
    wave, rest = (evoked_wave(s, pulses, **window) for s in (driven, free))
    with book.file("network", ".nc", title="Spikes of the network", role="network") as part:
        save_runs(part, driven, free, pulses)
    soon = (response.time > table.latency_ms * 1e-3 + 1e-3) & (response.time <= 0.02)
    change = response.value - quiet.value
    rows = [
        (
            name,
            probability.get(name, 0.0),
            float(quiet.value[k].mean()),
            float(response.peak[k]),
            float(response.peak_latency[k] * 1e3),
            float(change[k][soon].mean()),
            float(change[k][response.time > 0.02].mean()),
        )
        for k, name in enumerate(response.names)
    ]
    result = Table(
        columns=(
            "population",
            "fires directly",
            "rate without pulses (Hz)",
            "peak above baseline (Hz)",
            "peak at (ms)",
            f"change, {table.latency_ms + 1:g}–20 ms (Hz)",
            "change, 20–100 ms (Hz)",
        ),
        rows=rows,
    )
    most = int(np.argmax([row[3] for row in rows]))
    book.facts["Network"] = (
        f"{rows[most][0]} answers most: {rows[most][3]:.3g} Hz above baseline "
        f"{rows[most][4]:.3g} ms after the pulse"
    )
    book.tables[f"Network at {table.intensity_A_per_us:g} A/µs"] = result
    times, ids, population = raster(driven, start=pulses[0] - BEFORE, stop=pulses[0] + AFTER)
    driven_names = ", ".join(f"{n} {p:.0%}" for n, p in probability.items()) or "none"
    book.sections.append(
        Section(
            title="Network",
            paragraphs=[
                f"Potjans–Diesmann microcircuit at {table.scale:.0%} ({network.size:,} neurons). "
                f"Each of {table.pulses} pulses of {table.intensity_A_per_us:g} A/µs makes these "
                f"shares fire directly: {driven_names}. Peaks include those direct spikes. Both "
                "runs share every random number; rates and currents are means over the pulses."
            ],
            figures=[
                book.drawn(
                    "network",
                    "Spikes around the first pulse; rate of each population; summed synaptic "
                    "current of the excitatory cells by layer. Grey: the same without pulses.",
                    network_response,
                    (times - pulses[0], ids, population),
                    names=driven.names,
                    excitatory=driven.excitatory,
                    first=driven.first,
                    rates=(response, quiet),
                    wave=(wave, rest),
                )
            ],
            tables=[result],
        )
    )
    book.notes.append(
        "The microcircuit is that of early sensory cortex in cat and rodent; it stands in for a "
        "human motor column. Populations without a placed cell type are not driven directly."
    )
    book.details["network"] = {
        "neurons": network.size,
        "probability": probability,
        "pulses_s": pulses,
        "seed": study.seed,
    }


def save_runs(path: Path, driven: Spikes, free: Spikes, pulses: NDArray[np.floating[Any]]) -> None:
    """Write the spikes of both runs as NetCDF."""
    parts = {"driven": driven, "free": free}
    write_netcdf(
        path,
        {
            f"{what}_{name}": (f"spike_{name}", values, {"units": unit})
            for name, run in parts.items()
            for what, values, unit in (("time", run.times, "s"), ("neuron", run.ids, "1"))
        },
        coords={
            "population": ("population", list(driven.names)),
            "first_neuron": ("population", driven.first[:-1]),
        },
        attrs={"pulses_s": pulses, "duration_s": driven.duration, "seed": driven.seed},
    )
