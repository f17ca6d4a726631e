"""A network and its run as SONATA files.

Data format of Dai et al. (2020, PLoS Comput Biol 16:e1007696, 10.1371/journal.pcbi.1007696) and its
developer guide. All cells are one population of nodes, "neurons", and each of our populations is a
type of node; each source is a population of virtual nodes. Poisson input is an entry of the
simulation's inputs (module "poisson" with rate and weight, as libsonata reads it).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option, check_positive
from rheobase._files import room_for
from rheobase._progress import stage, track
from rheobase.neurons.interchange import models
from rheobase.neurons.interchange.hdf5 import PIECE, column, names_column, new_file
from rheobase.neurons.interchange.numbers import shifted, text, write_json
from rheobase.neurons.interchange.spikes import NEURONS, write_trains
from rheobase.neurons.interchange.tables import NULL, write_table
from rheobase.neurons.network.model import LIFPopulation, Network, SpikeSource

_EDGE_BYTES = 24  # of a synapse: two ends, number in its group and delay 4 each, weight 8
_KIND_BYTES = 4  # its type, where there are several
_INDEX_BYTES = 16  # its range in the index by target


def write_sonata(
    folder: Path | str,
    network: Network,
    *,
    duration: float = 1.0,
    seed: int = 0,
    trains: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    positions: ArrayLike | None = None,
    target_index: bool = True,
) -> Path:
    """Write ``network`` and a run of it as a folder of SONATA files.

    `read_sonata` gives the same network back, to the last bit. Neurons and synapses carry the
    names and units of NEST; weights are in pA, or nS where the target has conductances.

    Parameters
    ----------
    folder
        Where to write; made if it is not there, files of an earlier network in it are replaced.
    network
        Network.
    duration
        Length of the run (s), > 0.
    seed
        Seed of the run.
    trains
        Spikes of the sources as in `simulate`: times (s) and ids by source; they are put on the
        network's grid, where the engine takes them.
    positions
        Somata (m), shape (n_neurons, 3).
    target_index
        Whether to write the index by target too, which at one synapse a pair is longer than the
        synapses; without it libsonata finds synapses by their source only.

    Returns
    -------
    Path
        The simulation's configuration, written last.

    Raises
    ------
    InputError
        If a name cannot be written, trains name no source, positions have another shape, or the
        disk is full.
    """
    folder = Path(folder)
    check_positive("duration", duration)
    everyone: list[LIFPopulation | SpikeSource] = [*network.populations, *network.sources]
    for part in everyone:
        if not re.fullmatch(r"[!#-.0-~]+", part.name) or part.name == NEURONS:
            raise InputError(
                f"the name of a population must be ASCII without spaces, / and quotes, and not "
                f"{NEURONS!r}, got {part.name!r}: SONATA"
            )
        if not re.fullmatch(r"[!#-~]+", part.layer):
            raise InputError(
                f"layer must be ASCII without spaces and quotes, got {part.layer!r}: "
                f"population {part.name!r} for SONATA"
            )
    sources = {source.name: source for source in network.sources}
    trains = dict(trains or {})
    for name in trains:
        check_option("source", name, sources, where="trains")
    xyz = None if positions is None else np.asarray(positions, dtype=float)
    if xyz is not None and xyz.shape != (network.size, 3):
        raise InputError(f"positions must have shape ({network.size}, 3), got {xyz.shape}: SONATA")
    net, parts = folder / "network", folder / "components"
    try:
        net.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror}") from error
    n = len(network.synapses.target)
    size = _EDGE_BYTES + _KIND_BYTES * bool(network.plasticity) + _INDEX_BYTES * target_index
    room_for(net, n * size)
    path, circuit = folder / "simulation_config.json", folder / "circuit_config.json"
    for config in (path, circuit):  # until all is written, the folder has no network
        config.unlink(missing_ok=True)

    for population in network.populations:
        write_json(
            parts / "neurons" / f"{population.name}.json", models.neuron_parameters(population)
        )
    _write_nodes(net / "neurons", [(NEURONS, network.populations)], xyz)
    if sources:
        _write_nodes(net / "sources", [(s.name, (s,)) for s in network.sources], None)
    edges = {"neurons": [(NEURONS, 0, network.size)]}
    if sources:
        first = [int(i) for i in network.all_first[len(network.populations) :]]
        edges["sources"] = list(zip(sources, first[:-1], first[1:], strict=True))
    with stage("SONATA edges"):
        types = _edge_types(network, parts / "synapses")
        for name, rows in edges.items():
            _write_edges(net / f"{name}_neurons", network, rows, types, target_index)
    for name, (times, ids) in trains.items():
        write_trains(folder / "inputs" / f"{name}.h5", sources[name], times, ids, dt=network.dt)

    write_json(folder / "node_sets.json", _node_sets(network))
    write_json(circuit, _circuit(network))
    write_json(path, _simulation(network, duration, seed, list(trains)))
    return path


def edge_population(source: str) -> str:
    """Return the name of the edges from the nodes ``source`` to the neurons."""
    return f"{source}__{NEURONS}__chemical"


def _write_nodes(
    stem: Path,
    nodes: Sequence[tuple[str, Sequence[LIFPopulation | SpikeSource]]],
    xyz: NDArray[np.float64] | None,
) -> None:
    """Write the node populations of a file and their types."""
    rows = []
    with new_file(Path(f"{stem}_nodes.h5")) as file:
        for name, types in nodes:
            index = np.repeat(np.arange(len(types)), [t.size for t in types])
            n = len(index)
            group = file.create_group(f"nodes/{name}")
            column(group, "node_type_id", n, "int64")[:] = index
            column(group, "node_id", n, "uint64")[:] = np.arange(n)
            column(group, "node_group_id", n, "uint32")
            column(group, "node_group_index", n, "uint64")[:] = np.arange(n)
            plain = group.create_group("0")
            names_column(plain, "pop_name", [t.name for t in types], index)
            names_column(plain, "layer", [t.layer for t in types], index)
            names_column(plain, "synapse_class", [_sign(t) for t in types], index)
            if xyz is not None:
                for axis, values in zip("xyz", xyz.T, strict=True):
                    column(plain, axis, n, "float64")[:] = values * 1e6  # um
            rows += [_node_type(k, name, t) for k, t in enumerate(types)]
    write_table(Path(f"{stem}_node_types.csv"), rows)


def _sign(population: LIFPopulation | SpikeSource) -> str:
    return "EXC" if population.excitatory else "INH"


def _node_type(number: int, nodes: str, population: LIFPopulation | SpikeSource) -> dict[str, str]:
    row = {
        "node_type_id": str(number),
        "population": nodes,
        "pop_name": population.name,
        "layer": population.layer,
        "ei": _sign(population)[0].lower(),
        "model_type": "virtual",
        "model_template": NULL,
    }
    if isinstance(population, LIFPopulation):
        row |= {
            "model_type": "point_neuron",
            "model_template": f"nest:{models.model_name(population.neuron)}",
            "dynamics_params": f"{population.name}.json",
            "V_m_sd": text(shifted(population.V0_sd, 3)),  # mV; the mean is with the parameters
        }
    return row


def _edge_types(network: Network, parts: Path) -> NDArray[np.uint32]:
    """Write the synapses' parameters; return the type of each pair, shape (sources, targets)."""
    names = network.all_names
    write_json(parts / "static.json", {})
    kinds = list(dict.fromkeys(network.plasticity.values()))
    for k, kind in enumerate(kinds, start=1):
        write_json(parts / f"short_term_{k}.json", models.synapse_parameters(kind))
    types = np.zeros((len(names), len(network.populations)), dtype=np.uint32)
    for (before, after), kind in network.plasticity.items():
        types[names.index(before), names.index(after)] = 1 + kinds.index(kind)
    return types


def _write_edges(
    stem: Path,
    network: Network,
    rows: Sequence[tuple[str, int, int]],
    types: NDArray[np.uint32],
    target_index: bool,
) -> None:
    """Write the edges from the neurons ``lo:hi`` of each source, and their types."""
    with new_file(Path(f"{stem}_edges.h5")) as file:
        for name, lo, hi in rows:
            group = file.create_group(f"edges/{edge_population(name)}")
            group.attrs["edge_type"] = "chemical"
            _write_synapses(group, name, network, lo, hi, types)
            _write_indices(group, network, lo, hi, target_index)
    table = [
        {
            "edge_type_id": str(k),
            "population": edge_population(name),
            "model_template": models.SHORT_TERM if k else models.STATIC,
            "dynamics_params": f"short_term_{k}.json" if k else "static.json",
        }
        for name, _, _ in rows
        for k in range(int(types.max(initial=0)) + 1)
    ]
    write_table(Path(f"{stem}_edge_types.csv"), table)


def _write_synapses(
    group: Any, name: str, network: Network, lo: int, hi: int, types: NDArray[np.uint32]
) -> None:
    """Write ends, types, weights and delays of the edges of a population, piece by piece."""
    synapses = network.synapses
    start = synapses.start[lo : hi + 1]
    begin, n = int(start[0]), int(start[-1] - start[0])
    population = np.repeat(np.arange(len(network.all_names)), np.diff(network.all_first))
    unit = np.array([10.0 ** models.weight_power(m) for m in _models(network)])
    source = column(group, "source_node_id", n, "uint32")
    target = column(group, "target_node_id", n, "uint32")
    source.attrs["node_population"], target.attrs["node_population"] = name, NEURONS
    kind = column(group, "edge_type_id", n, "uint32")
    column(group, "edge_group_id", n, "uint32")
    index = column(group, "edge_group_index", n, "uint32" if n < 2**32 else "uint64")
    plain = group.create_group("0")
    weight = column(plain, "syn_weight", n, "float64")
    delay = column(plain, "delay", n, "float32")
    for i in track(range(0, n, PIECE), f"edges of {name}", total=-(-n // PIECE)):
        j = min(i + PIECE, n)
        piece = slice(begin + i, begin + j)
        row, last = np.searchsorted(start, [piece.start, piece.stop - 1], side="right") - 1
        cuts = np.clip(start[row : last + 2], piece.start, piece.stop)
        begins = np.repeat(np.arange(row, last + 1), np.diff(cuts))
        ends = synapses.target[piece]
        to = population[ends]
        source[i:j], target[i:j] = begins, ends
        weight[i:j] = synapses.weight[piece] * unit[to]
        delay[i:j] = synapses.delay[piece] * (network.dt * 1e3)
        index[i:j] = np.arange(i, j)
        if types.any():
            kind[i:j] = types[population[begins + lo], to]


def _models(network: Network) -> list[str]:
    return [models.model_name(p.neuron) for p in network.populations]


def _write_indices(group: Any, network: Network, lo: int, hi: int, target_index: bool) -> None:
    """Write where the edges of each source, and of each target, are."""
    start = network.synapses.start[lo : hi + 1] - network.synapses.start[lo]
    ranges = np.stack([start[:-1], start[1:]], axis=1).astype(np.uint64)
    by_source = group.create_group("indices/source_to_target")
    one = np.arange(hi - lo, dtype=np.uint64)
    by_source["node_id_to_ranges"] = np.stack([one, one + 1], axis=1)
    by_source["range_to_edge_id"] = ranges
    _alias(by_source)
    if not target_index:
        return
    from rheobase.neurons.interchange._edges_numba import order_by_target

    target = network.synapses.target[network.synapses.start[lo] : network.synapses.start[hi]]
    n = len(target)
    count = np.zeros(network.size, dtype=np.int64)
    for i in range(0, n, PIECE):
        count += np.bincount(target[i : i + PIECE], minlength=network.size)
    first = np.concatenate([[0], np.cumsum(count)])
    order = np.empty(n, dtype=np.uint32 if n < 2**32 else np.uint64)
    order_by_target(target, first[:-1].copy(), order)
    by_target = group.create_group("indices/target_to_source")
    by_target["node_id_to_ranges"] = np.stack([first[:-1], first[1:]], axis=1).astype(np.uint64)
    edges = by_target.create_dataset("range_to_edge_id", (n, 2), "uint64")
    for i in track(range(0, n, PIECE), "index by target", total=-(-n // PIECE)):
        piece = order[i : i + PIECE].astype(np.uint64)
        edges[i : i + len(piece)] = np.stack([piece, piece + np.uint64(1)], axis=1)
    _alias(by_target)


def _alias(index: Any) -> None:
    """Let the index be found under the name that the Brain Modeling Toolkit looks for, too."""
    index["node_id_to_range"] = index["node_id_to_ranges"]  # a link, no copy


def _node_sets(network: Network) -> dict[str, Any]:
    return {NEURONS: {"population": NEURONS}} | {
        p.name: {"population": NEURONS, "pop_name": p.name} for p in network.populations
    } | {s.name: {"population": s.name} for s in network.sources}  # fmt: skip


def _circuit(network: Network) -> dict[str, Any]:
    kinds = {"neurons": {NEURONS: {"type": "point_neuron"}}}
    edges = {"neurons": [NEURONS]}
    if network.sources:
        kinds["sources"] = {s.name: {"type": "virtual"} for s in network.sources}
        edges["sources"] = [s.name for s in network.sources]
    return {
        "version": 1,
        "manifest": {"$NETWORK_DIR": "./network", "$COMPONENT_DIR": "./components"},
        "components": {
            "point_neuron_models_dir": "$COMPONENT_DIR/neurons",
            "synaptic_models_dir": "$COMPONENT_DIR/synapses",
        },
        "node_sets_file": "./node_sets.json",
        "networks": {
            "nodes": [
                {
                    "nodes_file": f"$NETWORK_DIR/{file}_nodes.h5",
                    "node_types_file": f"$NETWORK_DIR/{file}_node_types.csv",
                    "populations": populations,
                }
                for file, populations in kinds.items()
            ],
            "edges": [
                {
                    "edges_file": f"$NETWORK_DIR/{file}_neurons_edges.h5",
                    "edge_types_file": f"$NETWORK_DIR/{file}_neurons_edge_types.csv",
                    "populations": {edge_population(n): {"type": "chemical"} for n in names},
                }
                for file, names in edges.items()
            ],
        },
    }


def _simulation(
    network: Network, duration: float, seed: int, recorded: Sequence[str]
) -> dict[str, Any]:
    stop = shifted(duration, 3)
    inputs: dict[str, dict[str, Decimal | str]] = {}
    for p, model in zip(network.populations, _models(network), strict=True):
        if p.external_rate > 0:
            inputs[f"poisson_{p.name}"] = {
                "input_type": "spikes",
                "module": "poisson",
                "node_set": p.name,
                "delay": Decimal(0),
                "duration": stop,
                "rate": shifted(p.external_rate, 0),
                "weight": shifted(p.external_weight, models.weight_power(model)),
            }
    for name in recorded:
        inputs[f"recorded_{name}"] = {
            "input_type": "spikes",
            "module": "synapse_replay",
            "node_set": name,
            "delay": Decimal(0),
            "duration": stop,
            "spike_file": f"$INPUT_DIR/{name}.h5",
            "input_file": f"$INPUT_DIR/{name}.h5",  # the key of the developer guide
        }
    return {
        "version": 1,
        "manifest": {"$INPUT_DIR": "./inputs", "$OUTPUT_DIR": "./output"},
        "network": "./circuit_config.json",
        "node_sets_file": "./node_sets.json",
        "run": {"tstop": stop, "dt": shifted(network.dt, 3), "random_seed": seed},
        "inputs": inputs,
        "output": {
            "output_dir": "$OUTPUT_DIR",
            "spikes_file": "spikes.h5",
            "spikes_sort_order": "by_time",
        },
    }
