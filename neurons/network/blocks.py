"""From a network to the arrays that its kernels work on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rheobase.neurons.network._layout import NEVER, Blocks, Plasticity, State
from rheobase.neurons.network.model import LIF, Network

BLOCK = 1024  # neurons of a block at most: its state stays in the second-level cache


def poisson_thresholds(mean: float) -> NDArray[np.uint32]:
    """Return the 32-bit thresholds whose number at or below a uniform draw is Poisson.

    Threshold k is the probability of at most k events, in units of 2**-32; the tail beyond the
    last is below one unit (inverse transform).

    Parameters
    ----------
    mean
        Mean number of events in a step.
    """
    from scipy.stats import poisson

    if mean == 0:
        return np.empty(0, dtype=np.uint32)
    k = np.arange(int(mean + 12 * np.sqrt(mean) + 20))
    scaled = np.floor(poisson.cdf(k, mean) * 2.0**32)
    return scaled[scaled < 2.0**32 - 1].astype(np.uint32)


def make_blocks(network: Network) -> Blocks:
    """Cut the populations into blocks and work out the constants of a step."""
    first, population, constants, refractory, noise = [0], [], [], [], []
    h = network.dt
    for k, p in enumerate(network.populations):
        cuts = -(-p.size // BLOCK)
        first += [int(x) for x in network.first[k] + np.linspace(0, p.size, cuts + 1)[1:].round()]
        population += [k] * cuts
        c = p.neuron
        leak = np.exp(-h / c.tau_m)
        constants.append(
            [
                leak,
                c.propagator(h, c.tau_E),
                c.propagator(h, c.tau_I),
                p.direct_current * c.tau_m / c.C * (1 - leak),
                np.exp(-h / c.tau_E),
                np.exp(-h / c.tau_I),
                c.V_th - c.E_L,
                c.V_reset - c.E_L,
                p.external_weight,
            ]
        )
        refractory.append(round(c.t_ref / h))
        noise.append(poisson_thresholds(p.external_rate * h))
    levels = np.array([len(x) for x in noise], dtype=np.int32)
    table = np.zeros((len(noise), max(1, int(levels.max()))), dtype=np.uint32)
    for row, x in zip(table, noise, strict=True):
        row[: len(x)] = x
    return Blocks(
        np.array(first, dtype=np.int32),
        np.array(population, dtype=np.int32),
        np.array(constants),
        np.array([_conductance(p.neuron, p.direct_current, h) for p in network.populations]),
        np.array(refractory, dtype=np.int32),
        table,
        levels,
    )


def _conductance(c: LIF, direct_current: float, h: float) -> list[float]:
    """Return the constants of a Runge-Kutta step of ``h`` (s), all 0 where synapses are currents.

    Leak and step over capacitance; decay to the middle of the step; reversal potentials; current.
    """
    if c.E_E is None or c.E_I is None:
        return [0.0] * 7
    return [
        h / c.tau_m,
        h / c.C,
        np.exp(-h / 2 / c.tau_E),
        np.exp(-h / 2 / c.tau_I),
        c.E_E - c.E_L,
        c.E_I - c.E_L,
        direct_current * h / c.C,
    ]


def make_plasticity(network: Network) -> Plasticity:
    """Lay out the state of the plastic synapses, all rested."""
    first, names = network.all_first, network.all_names
    sizes = np.diff(first)
    pair = np.full((len(names), len(network.populations)), -1, dtype=np.int32)
    offset, constants, n = [], [], 0
    for q, ((before, after), s) in enumerate(network.plasticity.items()):
        source = names.index(before)
        pair[source, names.index(after)] = q
        offset.append(n - int(first[source]))
        constants.append(
            [s.U, network.dt / s.tau_rec, network.dt / s.tau_facil if s.tau_facil else np.inf]
        )
        n += int(sizes[source])
    return Plasticity(
        np.repeat(np.arange(len(names), dtype=np.int32), sizes),
        pair,
        np.array(offset, dtype=np.int64),
        np.array(constants, dtype=np.float64).reshape(-1, 3),
        np.empty(n),
        np.empty(n),
        np.full(n, NEVER, dtype=np.int64),
        np.zeros(n, dtype=np.float32),
    )


def make_state(network: Network, n_blocks: int, *, seed: int) -> State:
    """Return the state at time 0: potentials drawn, currents and delays empty."""
    n = network.size
    stream = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 4])))
    potential = np.concatenate(
        [stream.normal(p.V0_mean, p.V0_sd, p.size) for p in network.populations]
    )
    return State(
        v=potential - resting(network),
        current=np.zeros((2, n)),
        left=np.zeros(n, dtype=np.int32),
        ring=np.zeros((int(network.synapses.delay.max(initial=1)), 2, n), dtype=np.float32),
        draw=np.zeros(n, dtype=np.uint32),
        arrivals=np.zeros(n, dtype=np.int32),
        spiked=np.zeros(n, dtype=np.int32),
        n_spiked=np.zeros(n_blocks, dtype=np.int32),
        last=np.zeros(network.all_size, dtype=np.int32),
        repeats=np.zeros(network.all_size, dtype=np.int32),
        n_last=np.zeros(1, dtype=np.int64),
        stiffest=np.zeros(n_blocks),
    )


def resting(network: Network) -> NDArray[np.float64]:
    """Return the resting potential (V) of each neuron, shape (n,)."""
    return np.repeat(
        [p.neuron.E_L for p in network.populations], [p.size for p in network.populations]
    )
