"""Networks through SONATA files: what was written, read again and run again fires the same spikes.

The network has one of everything: cells with currents and with conductances, constant, depressing
and facilitating synapses, a source with recorded spikes, Poisson input. The files are read by us
and by libsonata. NEST ran the export of the same network without Poisson input;
``benchmarks/sonata_nest.py`` makes ``data/sonata_nest.csv`` anew.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase.neurons.interchange import read_sonata, read_spikes, write_sonata, write_spikes
from rheobase.neurons.network.model import LIF, LIFPopulation, Network, SpikeSource
from rheobase.neurons.network.plasticity import ShortTerm
from rheobase.neurons.network.simulation import Spikes, simulate
from rheobase.neurons.network.wiring import Projection, wire
from rheobase.validation.case import Row

CASE = "sonata-roundtrip"
SEED, SECONDS, DT = 7, 0.5, 1e-4
Trains = dict[str, tuple[NDArray[np.float64], NDArray[np.int64]]]
_CURRENT = LIF(
    C=250e-12, tau_m=10e-3, E_L=-65e-3, V_th=-50e-3, V_reset=-65e-3, t_ref=2e-3,
    tau_E=0.5e-3, tau_I=0.7e-3,
)  # fmt: skip
_CONDUCTANCE = LIF(
    C=200e-12, tau_m=14e-3, E_L=-70e-3, V_th=-52e-3, V_reset=-60e-3, t_ref=1.5e-3,
    tau_E=2e-3, tau_I=5e-3, E_E=0.0, E_I=-80e-3,
)  # fmt: skip
_PLASTICITY = {
    ("E", "C"): ShortTerm(U=0.5, tau_rec=0.2),
    ("thalamus", "E"): ShortTerm(U=0.15, tau_rec=0.05, tau_facil=0.5),
    ("I", "E"): ShortTerm(U=0.25, tau_rec=0.7, tau_facil=0.02),
}


def network(*, noise: bool) -> Network:
    """Return the network; without ``noise`` it fires on its recorded input alone.

    Its initial potentials are then all alike, so that no simulator draws a number.
    """
    cells = [
        LIFPopulation(
            name=name, layer=layer, excitatory=name != "I", size=size, neuron=cell,
            direct_current=current, V0_mean=-60e-3,
            external_rate=rate * noise, external_weight=weight * noise, V0_sd=5e-3 * noise,
        )
        for name, layer, size, cell, current, rate, weight in (
            ("E", "L4", 200, _CURRENT, 1e-9 / 3, 1500.0, 0.2e-9 / 3),
            ("C", "L4", 100, _CONDUCTANCE, 0.02e-9 / 3, 500.0, 0.4e-9 / 3),
            ("I", "L5", 60, _CURRENT, 0.0, 6000.0, 0.2e-9 / 3),
        )
    ]  # fmt: skip
    source = SpikeSource(name="thalamus", layer="VPM", excitatory=True, size=50)
    everyone: list[LIFPopulation | SpikeSource] = [*cells, source]
    projections = []
    for before in everyone:
        for after in cells:
            weight = 0.1e-9 if after.neuron.E_E is None else 0.25e-9  # A or S
            weight *= (6.0 if before is source else 1.0) if before.excitatory else -4.0
            projections.append(
                Projection(
                    source=before.name,
                    target=after.name,
                    n_synapses=round(0.1 * before.size * after.size),
                    weight_mean=weight,
                    weight_sd=0.1 * abs(weight),
                    delay_mean=1.5e-3,
                    delay_sd=0.5e-3,
                )
            )
    return Network(
        populations=tuple(cells),
        sources=(source,),
        synapses=wire(everyone, projections, dt=DT, seed=SEED),
        dt=DT,
        plasticity=_PLASTICITY,
    )


def trains() -> Trains:
    """Return the recorded spikes: 300 Hz from each neuron of the source, off the grid."""
    stream = np.random.Generator(np.random.Philox(SEED))
    n = round(300 * 50 * SECONDS)
    return {"thalamus": (stream.uniform(1e-3, SECONDS, n), stream.integers(0, 50, n))}


def sonata_roundtrip() -> list[Row]:
    """Compare spikes and synapses after write and read, and spikes with NEST."""
    import libsonata

    net, played = network(noise=True), trains()
    run = simulate(net, SECONDS, seed=SEED, trains=played)
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_sonata(folder, net, duration=SECONDS, seed=SEED, trains=played)
        write_spikes(folder / "spikes.h5", run)
        model = read_sonata(folder)
        again = simulate(model.network, model.duration, seed=model.seed, trains=model.trains)
        kept = read_spikes(folder / "spikes.h5", model)
        circuit = libsonata.CircuitConfig.from_file(str(folder / "circuit_config.json"))
        edges = [circuit.edge_population(name) for name in sorted(circuit.edge_populations)]
        weights = np.concatenate([e.get_attribute("syn_weight", e.select_all()) for e in edges])
        found = sum(e.afferent_edges(range(net.size)).flat_size for e in edges)
        theirs = libsonata.SpikeReader(str(folder / "spikes.h5"))["neurons"].get_dict()
    conductance = np.isin(net.synapses.target, net.ids("C"))
    written = np.abs(net.synapses.weight * np.where(conductance, 1e9, 1e12))
    ours, nest = _events(simulate(network(noise=False), SECONDS, seed=SEED, trains=played)), _nest()
    return [
        _spikes("run of the network read back", _events(again), _events(run), "run before"),
        _spikes("file of spikes read by us", _events(kept), _events(run), "run"),
        _spikes(
            "file of spikes read by libsonata",
            _numbered(theirs["timestamps"] * 1e-3, theirs["node_ids"]),
            _events(run),
            "run",
        ),
        _number("synapses that libsonata finds by target", found, len(written), 0.0, "1"),
        _number(
            "sum of the weights that libsonata reads",
            np.abs(weights).sum(),
            written.sum(),
            1e-12,
            "pA and nS",
        ),
        _spikes("network on recorded input alone", ours, nest, "NEST 3.10.0 on the export"),
    ]


def _numbered(times: NDArray[np.float64], ids: NDArray[Any]) -> set[tuple[int, int]]:
    """Return spikes as (step, neuron)."""
    steps = np.rint(times / DT).astype(int)
    return set(zip(steps.tolist(), ids.tolist(), strict=True))


def _events(run: Spikes) -> set[tuple[int, int]]:
    return _numbered(run.times, run.ids)


def _nest() -> set[tuple[int, int]]:
    table = files("rheobase.validation").joinpath("data/sonata_nest.csv")
    lines = table.read_text(encoding="utf-8").splitlines()[1:]
    return {(int(step), int(neuron)) for step, neuron in (line.split(",") for line in lines)}


def _spikes(
    what: str, spikes: set[tuple[int, int]], reference: set[tuple[int, int]], source: str
) -> Row:
    return Row(
        case=CASE,
        quantity=f"{what}; error: spikes that only one of the two has",
        value=float(len(spikes)),
        reference=float(len(reference)),
        error=float(len(spikes ^ reference)),
        limit=0.0,
        unit="spikes",
        source=source,
    )


def _number(what: str, value: float, reference: float, limit: float, unit: str) -> Row:
    return Row(
        case=CASE,
        quantity=what,
        value=float(value),
        reference=float(reference),
        error=float(abs(value / reference - 1)),
        limit=limit,
        unit=unit,
        source="network",
    )
