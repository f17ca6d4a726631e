"""What the stimulus does to the network: probabilities of activation become spikes at pulses.

The cell side gives, for each population, the probability P that one of its cells fires on a pulse.
At every pulse each cell draws once (Bernoulli, keyed by seed, pulse and cell) and, where it
succeeds, spikes directly after its population's latency, whatever its potential. A cell in its
refractory period at that moment does not fire. The forced spike is a spike as any other: it resets
the cell, starts its refractory period and travels along its synapses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option
from rheobase.neurons.network import Network


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Drive:
    """Pulses and each population's probability of firing on one.

    Parameters
    ----------
    probability
        Probability (0..1) that a cell fires on a pulse, by name of the network's population; a
        population without an entry is not driven.
    times
        Times of the pulses (s), shape (n_pulses,).
    latency
        Time (s, >= 0) from pulse to spike, one number or one by population.

    Raises
    ------
    InputError
        If a probability is outside 0..1, a time or a latency is negative or not finite, or the
        latencies lack a driven population.
    """

    probability: Mapping[str, float]
    times: NDArray[np.floating[Any]]
    latency: float | Mapping[str, float] = 0.0

    def __post_init__(self) -> None:
        """Check ranges."""
        object.__setattr__(self, "times", np.atleast_1d(np.asarray(self.times, dtype=float)))
        for name, p in self.probability.items():
            if not 0 <= p <= 1:
                raise InputError(f"probability must be in 0..1, got {p}: drive of {name!r}")
            if isinstance(self.latency, Mapping):
                check_option("latency", name, self.latency, where=f"drive of {name!r}")
            if not 0 <= self.latency_of(name) < np.inf:
                raise InputError(
                    f"latency must be >= 0 s, got {self.latency_of(name)}: drive of {name!r}"
                )
        if self.times.ndim != 1 or not (np.isfinite(self.times) & (self.times >= 0)).all():
            raise InputError("times of pulses must be a list of finite values >= 0 s: drive")

    def latency_of(self, name: str) -> float:
        """Return the latency (s) of population ``name``."""
        return self.latency[name] if isinstance(self.latency, Mapping) else self.latency


def forced_spikes(
    drive: Drive, network: Network, *, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Draw who fires on which pulse.

    Returns
    -------
    step, neuron : ndarray, shape (n,)
        Step of the grid at whose end the neuron shall spike (a spike at time t belongs to step
        t/dt - 1, and to step 0 if earlier) and its number, ordered by (step, neuron).

    Raises
    ------
    InputError
        If the drive names a population the network has not, with the nearest names.
    """
    steps, neurons = [np.empty(0, np.int64)], [np.empty(0, np.int32)]
    for name, p in drive.probability.items():
        check_option("population", name, network.names, where="drive")
        ids = network.ids(name)
        for k, time in enumerate(drive.times):
            entropy = np.random.SeedSequence([seed, 2, k, network.names.index(name)])
            draws = np.random.Generator(np.random.Philox(entropy)).random(len(ids))
            fired = np.flatnonzero(draws < p).astype(np.int32) + np.int32(ids.start)
            at = max(round((time + drive.latency_of(name)) / network.dt) - 1, 0)
            steps.append(np.full(len(fired), at, dtype=np.int64))
            neurons.append(fired)
    step, neuron = np.concatenate(steps), np.concatenate(neurons)
    order = np.lexsort((neuron, step))
    return step[order], neuron[order]
