"""Running a network: exact steps on the grid, spikes out.

Each step does, for every block of neurons: spikes of the step before enter the ring buffer of
delays; external spikes are drawn by count; potentials and currents advance exactly; a potential at
or above threshold spikes at the end of the step. Random numbers are keyed by (seed, step, neuron)
and sums are taken in one fixed order, so the spikes do not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._progress import track
from rheobase.neurons.drive import Drive, forced_spikes
from rheobase.neurons.network import Network

if TYPE_CHECKING:
    from rheobase.neurons._network_numba import Blocks

BLOCK = 1024  # neurons of a block at most: its state stays in the second-level cache
CHUNK = 0.05  # s of activity between two signs of progress


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Spikes:
    """Spikes of a run, ordered by time, then neuron.

    Parameters
    ----------
    times
        Times (s), on the grid, shape (n_spikes,).
    ids
        Neurons, shape (n_spikes,), int32.
    names, first
        Names of the populations, and the first neuron of each and the end.
    layers, excitatory
        Layer of each population and whether it excites.
    duration, dt
        Length of the run and step (s).
    seed
        Seed of the run.
    currents
        Summed synaptic current (A) into each population at the end of each step, excitatory
        (>= 0) and inhibitory (<= 0), shape (n_steps, n_populations, 2), or None if not recorded.
    potentials
        Potential (V) of the recorded neurons at the end of each step, shape (n_steps, k).
    """

    times: NDArray[np.float64]
    ids: NDArray[np.int32]
    names: tuple[str, ...]
    first: NDArray[np.int64]
    layers: tuple[str, ...]
    excitatory: tuple[bool, ...]
    duration: float
    dt: float
    seed: int
    currents: NDArray[np.float64] | None
    potentials: NDArray[np.float64]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Neurons of each population, shape (n_populations,)."""
        return np.diff(self.first)


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


def simulate(
    network: Network,
    duration: float,
    *,
    seed: int,
    drive: Drive | None = None,
    threads: int = 1,
    record_currents: bool = False,
    record_potentials: Sequence[int] = (),
) -> Spikes:
    """Run ``network`` for ``duration``.

    Parameters
    ----------
    network
        Network, with its own step.
    duration
        Length (s), rounded to whole steps, > 0.
    seed
        Seed (>= 0) of initial potentials, external spikes and the drive's draws.
    drive
        Pulses, if any.
    threads
        Threads to share the blocks among; the spikes are the same for any number. One is best
        below some ten thousand neurons, where a step is shorter than handing it out.
    record_currents
        Whether to record the summed synaptic currents of each population.
    record_potentials
        Neurons whose potential is recorded.

    Raises
    ------
    InputError
        If the duration is not > 0, there is no such number of threads, a recorded neuron is outside
        the network, or the drive names a population the network has not.
    """
    import numba

    from rheobase.neurons._network_numba import (
        Forced,
        Record,
        State,
        Wiring,
        cut_rows,
        run_parallel,
        run_serial,
    )

    n_steps = round(duration / network.dt) if np.isfinite(duration) else 0
    if n_steps < 1:
        raise InputError(f"duration must be at least one step of {network.dt} s, got {duration} s")
    if not 1 <= threads <= numba.config.NUMBA_NUM_THREADS:
        raise InputError(
            f"threads must be in 1..{numba.config.NUMBA_NUM_THREADS}, got {threads}: simulate"
        )
    recorded = np.asarray(record_potentials, dtype=np.int32)
    if recorded.size and not (recorded.min() >= 0 and recorded.max() < network.size):
        raise InputError(f"record_potentials must name neurons 0..{network.size - 1}")
    blocks = _blocks(network)
    n, n_blocks = network.size, len(blocks.population)
    synapses = network.synapses
    slots = int(synapses.delay.max(initial=1))
    rest = np.repeat(
        [p.neuron.E_L for p in network.populations], [p.size for p in network.populations]
    )
    state = State(
        v=_initial_potentials(network, seed) - rest,
        current=np.zeros((2, n)),
        left=np.zeros(n, dtype=np.int32),
        ring=np.zeros((slots, 2, n), dtype=np.float32),
        draw=np.zeros(n, dtype=np.uint32),
        arrivals=np.zeros(n, dtype=np.int32),
        spiked=np.zeros((2, n), dtype=np.int32),
        n_spiked=np.zeros((2, n_blocks), dtype=np.int32),
    )
    cuts = cut_rows(synapses.start, synapses.target, blocks.first)
    wiring = Wiring(synapses.start, cuts, synapses.target, synapses.weight, synapses.delay)
    forced = (
        Forced(np.empty(0, np.int64), np.empty(0, np.int32))
        if drive is None
        else Forced(*forced_spikes(drive, network, seed=seed))
    )
    key = np.random.SeedSequence([seed, 3]).generate_state(1, np.uint64)[0]
    out_step = np.empty(8 * n + 4096, dtype=np.int64)
    out_neuron = np.empty(len(out_step), dtype=np.int32)
    chunk = max(1, round(CHUNK / network.dt))
    steps, neurons = [np.empty(0, np.int64)], [np.empty(0, np.int32)]
    potentials = np.empty((n_steps, len(recorded)))
    currents = np.empty((n_steps, len(network.populations), 2)) if record_currents else None
    edges = np.searchsorted(blocks.population, np.arange(len(network.populations)))

    run = run_serial if threads == 1 else run_parallel
    with _threads(threads):
        for begin in track(range(0, n_steps, chunk), "network activity"):
            end = min(begin + chunk, n_steps)
            record = Record(
                recorded,
                potentials[begin:end],
                np.empty((end - begin, n_blocks if record_currents else 0, 2)),
            )
            at = begin
            while at < end:
                at, spikes = run(
                    at, end, begin, key, wiring, blocks, state, forced, record, out_step, out_neuron
                )
                steps.append(out_step[:spikes].copy())
                neurons.append(out_neuron[:spikes].copy())
            if currents is not None:
                currents[begin:end] = np.add.reduceat(record.current, edges, axis=1)
    return Spikes(
        times=(np.concatenate(steps) + 1).astype(np.float64) * network.dt,
        ids=np.concatenate(neurons),
        names=network.names,
        first=network.first,
        layers=tuple(p.layer for p in network.populations),
        excitatory=tuple(p.excitatory for p in network.populations),
        duration=n_steps * network.dt,
        dt=network.dt,
        seed=seed,
        currents=currents,
        potentials=potentials + rest[recorded],
    )


@contextmanager
def _threads(number: int) -> Iterator[None]:
    """Let numba use ``number`` threads; one does not start its pool at all."""
    if number == 1:
        yield
        return
    import numba

    others = numba.get_num_threads()
    numba.set_num_threads(number)
    try:
        yield
    finally:
        numba.set_num_threads(others)


def _initial_potentials(network: Network, seed: int) -> NDArray[np.float64]:
    """Draw V (V), shape (n_neurons,)."""
    stream = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 4])))
    return np.concatenate([stream.normal(p.V0_mean, p.V0_sd, p.size) for p in network.populations])


def _blocks(network: Network) -> Blocks:
    """Cut the populations into blocks and work out the constants of a step."""
    from rheobase.neurons._network_numba import Blocks

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
        np.array(refractory, dtype=np.int32),
        table,
        levels,
    )
