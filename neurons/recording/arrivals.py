"""The synaptic currents that spikes set off in a network, by population and kind of source."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.neurons.network.drive import Trains, played_spikes
from rheobase.neurons.network.model import Network
from rheobase.neurons.network.simulation import Spikes


def arrivals(
    network: Network,
    spikes: Spikes,
    *,
    groups: Sequence[int] | NDArray[np.integer] | None = None,
    trains: Trains | None = None,
) -> NDArray[np.float32]:
    """Return the weights that arrive at each population in each step, by group of the sources.

    Every spike goes through every synapse of its source, with its own weight, delay and short-term
    plasticity, as in the simulation.

    Parameters
    ----------
    network
        The network.
    spikes
        A run of it from time 0.
    groups
        Group of each population, and then of each spike source, 0, 1, ..., shape (n_sources,);
        each is its own if None.
    trains
        What the run's spike sources played.

    Returns
    -------
    ndarray, shape (n_steps, n_populations, n_groups)
        Sum of the weights (A; S where synapses are conductances) that arrive at the end of the
        step, < 0 where they inhibit. External Poisson spikes are not in it.

    Raises
    ------
    InputError
        If the spikes are another network's, or do not begin at 0.
    """
    from rheobase.neurons.network.blocks import make_plasticity
    from rheobase.neurons.recording._recording_numba import arrive

    if spikes.names != network.names or not np.array_equal(spikes.first, network.first):
        raise InputError("expected spikes of this network, got those of another one: arrivals")
    if spikes.start != 0:
        raise InputError(
            f"expected a run from time 0 (join its stretches), got one from {spikes.start} s: "
            "arrivals"
        )
    n = len(network.all_names)
    group = np.arange(n) if groups is None else np.asarray(groups)
    if group.shape != (n,) or group.min() < 0:
        raise InputError(f"expected a group >= 0 for each of {n} sources, got {groups!r}")
    n_steps = round(spikes.duration / network.dt)
    step = np.rint(spikes.times / network.dt).astype(np.int64) - 1
    neuron, count = spikes.ids.astype(np.int32), np.ones(len(step), dtype=np.int32)
    if trains:
        begun, who, often = played_spikes(trains, network, begin=0, end=n_steps)
        step, neuron = np.concatenate([step, begun - 1]), np.concatenate([neuron, who])
        count = np.concatenate([count, often])
        order = np.argsort(step, kind="stable")
        step, neuron, count = step[order], neuron[order], count[order]
    out = np.zeros((n_steps, len(network.populations), int(group.max()) + 1), dtype=np.float32)
    synapses = network.synapses
    arrive(
        step,
        neuron,
        count,
        synapses.start,
        synapses.target,
        synapses.weight,
        synapses.delay,
        np.repeat(np.arange(len(network.populations)), np.diff(network.first)),
        np.repeat(group, np.diff(network.all_first)),
        make_plasticity(network),
        out,
    )
    return out
