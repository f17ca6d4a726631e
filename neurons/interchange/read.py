"""SONATA networks of point neurons: ours back to the last bit, and others' as far as we have them.

Read are leaky integrate-and-fire neurons with exponential currents or conductances (NEST's
``iaf_psc_exp`` and ``iaf_cond_exp``), constant synapses and ``tsodyks2_synapse``, virtual nodes
with recorded spikes, and Poisson input. What else a network has is refused by name.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option
from rheobase._progress import stage
from rheobase.neurons.interchange import models
from rheobase.neurons.interchange.configs import Config
from rheobase.neurons.interchange.edges import read_edges
from rheobase.neurons.interchange.node_sets import chosen
from rheobase.neurons.interchange.nodes import Nodes, read_nodes
from rheobase.neurons.interchange.numbers import read_json, unshifted
from rheobase.neurons.interchange.spikes import read_trains
from rheobase.neurons.network.model import LIFPopulation, Network, SpikeSource, Synapses

Trains = dict[str, tuple[NDArray[np.float64], NDArray[np.int64]]]
_RECORDED = {"synapse_replay": "spike_file", "h5": "input_file", "sonata": "input_file"}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SonataModel:
    """What a SONATA folder holds.

    Parameters
    ----------
    network
        Network.
    trains
        Times (s) and ids of the recorded spikes of each source, for `simulate`.
    positions
        Somata (m), shape (n_neurons, 3), or None.
    duration
        Length of the run (s); 0 where the file has no run.
    seed
        Seed of the run.
    nodes
        Number in the network of each node, by population of nodes that are cells.
    """

    network: Network
    trains: Trains
    positions: NDArray[np.float64] | None
    duration: float
    seed: int
    nodes: dict[str, NDArray[np.int64]]


def read_sonata(path: Path | str, *, dt: float | None = None) -> SonataModel:
    """Read a network and its run.

    Parameters
    ----------
    path
        A simulation's or a circuit's configuration, or the folder with ``simulation_config.json``
        or ``circuit_config.json``.
    dt
        Step of the network (s), if not the one of the file.

    Raises
    ------
    InputError
        If a file is missing or not SONATA, or the network has something that the engine has not.
    """
    config = _configuration(Path(path))
    circuit = config
    if "networks" not in config.content:
        circuit = Config(config.file(config.content.get("network", "circuit_config.json")))
    run = config.section("run")
    if dt is None:
        dt = unshifted(config.number(run, "dt", "a run, or the call,"), 3)
    nodes = read_nodes(circuit)
    trains: Trains = {}
    cells = _inputs(config, circuit, nodes, trains)
    with stage("SONATA edges"):
        synapses, plasticity = read_edges(circuit, nodes, dt=dt)
    first = np.cumsum([0, *(p.size for p in cells), *(p.size for p in nodes.sources)])
    starts = synapses.start[first]
    signed = [_signed(p, nodes, synapses, *starts[k : k + 2]) for k, p in enumerate(cells)]
    played = [
        _signed(p, nodes, synapses, *starts[k : k + 2])
        for k, p in enumerate(nodes.sources, start=len(cells))
    ]
    return SonataModel(
        network=Network(
            populations=tuple(signed),
            sources=tuple(played),
            synapses=synapses,
            dt=dt,
            plasticity=plasticity,
        ),
        trains=trains,
        positions=nodes.positions,
        duration=unshifted(config.number(run, "tstop", "a run", 0.0), 3),
        seed=int(config.number(run, "random_seed", "a run", 0)),
        nodes={k: v for k, v in nodes.place.items() if v.max(initial=0) < nodes.n_cells},
    )


def _configuration(path: Path) -> Config:
    if not path.is_dir():
        return Config(path)
    for name in ("simulation_config.json", "circuit_config.json"):
        if (path / name).is_file():
            return Config(path / name)
    raise InputError(f"neither simulation_config.json nor circuit_config.json is in {path}")


def _signed[P: (LIFPopulation, SpikeSource)](
    population: P, nodes: Nodes, synapses: Synapses, lo: int, hi: int
) -> P:
    """Return the population with the sign of its synapses where the file does not say it."""
    if population.name not in nodes.unsigned:
        return population
    return replace(population, excitatory=not bool((synapses.weight[lo:hi] < 0).any()))


def _inputs(config: Config, circuit: Config, nodes: Nodes, trains: Trains) -> list[LIFPopulation]:
    """Fill ``trains`` and return the cells with their Poisson input."""
    cells = list(nodes.cells)
    sources = [s.name for s in nodes.sources]
    for name, entry in config.section("inputs").items():
        where = f"input {name!r}"
        kind = config.need(entry, "input_type", where)
        check_option("input_type", kind, ["spikes"], where=f"{where} of {config.path}")
        module = config.need(entry, "module", where)
        check_option("module", module, [*_RECORDED, "poisson"], where=f"{where} of {config.path}")
        target = _set_name(config.need(entry, "node_set", where), f"{where} of {config.path}")
        if config.number(entry, "delay", where, 0.0) != 0:
            raise InputError(f"delay must be 0, got {entry['delay']}: {where} of {config.path}")
        if module != "poisson":
            path = config.file(config.need(entry, _RECORDED[module], where))
            check_option("virtual population", target, sources, where=f"{where} of {config.path}")
            if target in trains:
                raise InputError(f"each source has one recording: {where} of {config.path}")
            trains[target] = read_trains(path, target)
            continue
        for k in _chosen(target, config, circuit, nodes, where):
            cell = cells[k]
            if cell.external_rate:
                raise InputError(f"{cell.name!r} has two Poisson inputs: {where} of {config.path}")
            power = models.weight_power(models.model_name(cell.neuron))
            cells[k] = replace(
                cell,
                external_rate=unshifted(config.number(entry, "rate", where), 0),
                external_weight=unshifted(config.number(entry, "weight", where), power),
            )
    return cells


def _set_name(target: Any, where: str) -> str:
    """Return the name of a node set, given so or as {"population": name}."""
    if isinstance(target, dict) and set(target) == {"population"}:
        return str(target["population"])
    if not isinstance(target, str):
        raise InputError(
            f"node_set must be a name or {{'population': name}}, got {target}: {where}"
        )
    return target


def _chosen(target: str, config: Config, circuit: Config, nodes: Nodes, where: str) -> set[int]:
    """Return the populations of cells in a node set; each population of nodes is one."""
    owner = config if "node_sets_file" in config.content else circuit
    name = owner.content.get("node_sets_file")
    path = owner.file(name) if name else owner.path
    sets = {p: {"population": p} for p in nodes.place} | (read_json(path) if name else {})
    found = chosen(target, sets, nodes.rows, path)
    if not found:
        raise InputError(f"node set {target!r} must hold cells: {where} of {config.path}")
    return found
