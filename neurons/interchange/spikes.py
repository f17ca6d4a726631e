"""Spikes and membrane potentials as SONATA files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.neurons.interchange.hdf5 import member, new_file, open_file
from rheobase.neurons.network.model import SpikeSource
from rheobase.neurons.network.simulation import Spikes

if TYPE_CHECKING:
    from rheobase.neurons.interchange.read import SonataModel

NEURONS = "neurons"  # the population of nodes that holds all cells
_SORTING = {"none": 0, "by_id": 1, "by_time": 2}


def write_spikes(path: Path | str, spikes: Spikes) -> None:
    """Write the spikes of a run, sorted by time.

    Parameters
    ----------
    path
        HDF5 file; its population "neurons" has the neurons numbered as in the network.
    spikes
        Run.
    """
    _write(Path(path), NEURONS, spikes.times, spikes.ids)


def write_trains(
    path: Path, source: SpikeSource, times: ArrayLike, ids: ArrayLike, *, dt: float
) -> None:
    """Write the spikes of ``source``, their times (s) on the grid of ``dt`` (s).

    Raises
    ------
    InputError
        If a time is not finite or an id is not one of the source's.
    """
    at, who = np.broadcast_arrays(np.asarray(times, dtype=float), np.asarray(ids, dtype=np.int64))
    at, who = np.ravel(at), np.ravel(who)
    if not (np.isfinite(at) & (who >= 0) & (who < source.size)).all():
        raise InputError(
            f"trains must have finite times and ids in 0..{source.size - 1}: {source.name!r}"
        )
    steps = np.rint(at / dt)
    order = np.lexsort((who, steps))
    _write(path, source.name, steps[order] * dt, who[order])


def _write(path: Path, population: str, times: NDArray[Any], ids: NDArray[Any]) -> None:
    import h5py

    with new_file(path) as file:
        group = file.create_group(f"spikes/{population}")
        kinds = h5py.enum_dtype(_SORTING, basetype="u1")
        group.attrs.create("sorting", _SORTING["by_time"], dtype=kinds)
        # the double next to 7.5 ms, not the one above it, which NEST would put a step later
        group["timestamps"] = np.round(times * 1e3, 6)
        group["timestamps"].attrs["units"] = "ms"
        group["node_ids"] = ids.astype(np.uint64)


def read_trains(path: Path, population: str) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return times (s) and nodes of the spikes of ``population``, in the file's order.

    Raises
    ------
    InputError
        If the file is not a SONATA file of spikes, has not this population, or its times are in
        another unit than ms.
    """
    with open_file(path) as file:
        group = member(file, f"spikes/{population}", path)
        stamps = member(group, "timestamps", path)
        unit = str(stamps.attrs.get("units", "ms"))
        if unit not in {"ms", "milliseconds"}:
            raise InputError(f"times of spikes must be in ms, got {unit!r}: {path}")
        times = np.asarray(stamps, dtype=float) * 1e-3
        return times, np.asarray(member(group, "node_ids", path), dtype=np.int64)


def read_spikes(paths: Path | str | Sequence[Path | str], model: SonataModel) -> Spikes:
    """Read the spikes of a run of ``model``, by us or by another simulator.

    Parameters
    ----------
    paths
        HDF5 file, or the files of a run in several processes.
    model
        What was run, as `read_sonata` gives it; times are put on its grid.

    Returns
    -------
    Spikes
        Spikes without currents and potentials, ordered by time, then neuron.

    Raises
    ------
    InputError
        If the file is not a SONATA file of spikes, has none of the model's cells, or names a node
        that the model has not.
    """
    network = model.network
    steps, ids = [], []
    files = [paths] if isinstance(paths, Path | str) else paths
    for path, (population, nodes) in product(files, model.nodes.items()):
        times, node = read_trains(Path(path), population)
        if node.size and not (node.min() >= 0 and node.max() < len(nodes)):
            raise InputError(f"node ids must be in 0..{len(nodes) - 1}: {population!r} of {path}")
        steps.append(np.rint(times / network.dt).astype(np.int64))
        ids.append(nodes[node])
    step, neuron = np.concatenate(steps), np.concatenate(ids).astype(np.int32)
    order = np.lexsort((neuron, step))
    return Spikes(
        times=step[order].astype(np.float64) * network.dt,
        ids=neuron[order],
        names=network.names,
        first=network.first,
        layers=tuple(p.layer for p in network.populations),
        excitatory=tuple(p.excitatory for p in network.populations),
        duration=model.duration,
        dt=network.dt,
        seed=model.seed,
        currents=None,
        potentials=np.empty((round(model.duration / network.dt), 0)),
    )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Potentials:
    """Membrane potentials of some neurons over time.

    Parameters
    ----------
    time
        Times (s), equally spaced, shape (n_steps,).
    ids
        Neurons, shape (k,).
    potential
        Potential (V), shape (n_steps, k).
    """

    time: NDArray[np.float64]
    ids: NDArray[np.int64]
    potential: NDArray[np.float64]


def write_potentials(path: Path | str, spikes: Spikes, ids: ArrayLike) -> None:
    """Write the recorded potentials of a run as a report of somata, in mV with 32 bits.

    Parameters
    ----------
    path
        HDF5 file.
    spikes
        Run with ``record_potentials``.
    ids
        The neurons that were recorded, ascending.

    Raises
    ------
    InputError
        If ``ids`` are not ascending or not as many as were recorded.
    """
    neurons = np.asarray(ids, dtype=np.int64)
    n, k = spikes.potentials.shape
    if neurons.shape != (k,) or not k or not (np.diff(neurons) > 0).all():
        raise InputError(f"ids must be the {k} recorded neurons, ascending: {path}")
    with new_file(Path(path)) as file:
        group = file.create_group(f"report/{NEURONS}")
        data = group.create_dataset("data", data=spikes.potentials * 1e3, dtype="float32")
        data.attrs["units"] = "mV"
        mapping = group.create_group("mapping")
        nodes = mapping.create_dataset("node_ids", data=neurons.astype(np.uint64))
        nodes.attrs["sorted"] = np.int8(1)
        mapping["index_pointers"] = np.arange(k + 1, dtype=np.uint64)
        mapping["element_ids"] = np.ones(k, dtype=np.uint32)  # as the guide has single compartments
        first = spikes.start + spikes.dt  # the end of the first step
        time = mapping.create_dataset(
            "time", data=np.array([first, first + n * spikes.dt, spikes.dt]) * 1e3
        )
        time.attrs["units"] = "ms"


def read_potentials(path: Path | str, *, population: str = NEURONS) -> Potentials:
    """Read a report of somata.

    Raises
    ------
    InputError
        If the file is not a SONATA report of somata, or has not this population.
    """
    with open_file(Path(path)) as file:
        group = member(file, f"report/{population}", path)
        data = np.asarray(member(group, "data", path), dtype=np.float64)
        ids = np.asarray(member(group, "mapping/node_ids", path), dtype=np.int64)
        start, _, step = np.asarray(member(group, "mapping/time", path), dtype=float)
    if data.shape[1:] != ids.shape:
        raise InputError(
            f"a report of somata must have one value a node, got {data.shape[1]} values for "
            f"{len(ids)} nodes: {path}"
        )
    return Potentials(
        time=(start + step * np.arange(len(data))) * 1e-3, ids=ids, potential=data * 1e-3
    )
