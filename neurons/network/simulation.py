"""Running a network: exact steps on the grid, spikes out.

Each step does, for every block of neurons: spikes of the step before enter the ring buffer of
delays; external spikes are drawn by count; potentials and currents advance; a potential at or above
threshold spikes at the end of the step. Random numbers are keyed by (seed, step, neuron) and sums
are taken in one fixed order, so the spikes do not depend on the number of threads, nor on the
stretches into which a run is cut.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_seed
from rheobase._progress import track
from rheobase.neurons.network._layout import Input, Record, Wiring
from rheobase.neurons.network.blocks import make_blocks, make_plasticity, make_state, resting
from rheobase.neurons.network.drive import (
    Drive,
    Polarisation,
    Trains,
    forced_spikes,
    played_spikes,
    shifts,
)
from rheobase.neurons.network.model import Network

CHUNK = 0.05  # s of activity between two signs of progress


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Spikes:
    """Spikes of a run or of a stretch of one, ordered by time, then neuron.

    Parameters
    ----------
    times
        Times (s) from the start of the simulation, on the grid, shape (n_spikes,).
    ids
        Neurons, shape (n_spikes,), int32.
    names, first
        Names of the populations, and the first neuron of each and the end.
    layers, excitatory
        Layer of each population and whether it excites.
    duration, dt
        Length of the run or stretch and step (s).
    seed
        Seed of the run.
    currents
        Summed synaptic current (A) into each population at the end of each step, excitatory
        (>= 0) and inhibitory (<= 0), shape (n_steps, n_populations, 2), or None if not recorded.
    potentials
        Potential (V) of the recorded neurons at the end of each step, shape (n_steps, k).
    start
        Time (s) at which the stretch began.
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
    start: float = 0.0

    @property
    def stop(self) -> float:
        """Time (s) at which the stretch ended."""
        return self.start + self.duration

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Neurons of each population, shape (n_populations,)."""
        return np.diff(self.first)


def join(stretches: Sequence[Spikes]) -> Spikes:
    """Return the spikes of consecutive stretches of one simulation as one.

    Parameters
    ----------
    stretches
        Stretches in order, each beginning where the one before ended.

    Raises
    ------
    InputError
        If there is none, or a stretch does not follow the one before.
    """
    if not stretches:
        raise InputError("join needs at least one stretch, got none")
    first = stretches[0]
    for before, after in itertools.pairwise(stretches):
        if after.names != before.names or abs(after.start - before.stop) > before.dt / 2:
            raise InputError(
                f"stretches must follow one another, got one from {after.start} s after one to "
                f"{before.stop} s: join"
            )
    currents = [s.currents for s in stretches if s.currents is not None]
    return replace(
        first,
        times=np.concatenate([s.times for s in stretches]),
        ids=np.concatenate([s.ids for s in stretches]),
        duration=sum(round(s.duration / s.dt) for s in stretches) * first.dt,
        currents=np.concatenate(currents) if len(currents) == len(stretches) else None,
        potentials=np.concatenate([s.potentials for s in stretches]),
    )


class Simulation:
    """A network in time, run in stretches.

    However a run is cut into stretches, its spikes are the same.

    Parameters
    ----------
    network
        Network, with its own step.
    seed
        Seed (>= 0) of initial potentials, external spikes and the drive's draws.
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
        If there is no such number of threads or a recorded neuron is outside the network.

    Examples
    --------
    >>> from rheobase.neurons.network.model import LIF, LIFPopulation, Synapses
    >>> cell = LIF(C=250e-12, tau_m=10e-3, E_L=-65e-3, V_th=-50e-3, V_reset=-65e-3,
    ...            t_ref=2e-3, tau_E=0.5e-3, tau_I=0.5e-3)
    >>> cells = LIFPopulation(name="E", layer="L4", excitatory=True, size=1, neuron=cell,
    ...                       direct_current=0.6e-9, V0_mean=-65e-3)
    >>> none = Synapses.from_pairs(1, [], [], [], [], dt=1e-4)
    >>> simulation = Simulation(Network(populations=(cells,), synapses=none, dt=1e-4), seed=1)
    >>> simulation.run(0.02).times, simulation.run(0.02).times
    (array([0.0099]), array([0.0218, 0.0337]))
    """

    def __init__(
        self,
        network: Network,
        *,
        seed: int,
        threads: int = 1,
        record_currents: bool = False,
        record_potentials: Sequence[int] = (),
    ) -> None:
        import numba

        from rheobase.neurons.network._network_numba import cut_rows

        if not 1 <= threads <= numba.config.NUMBA_NUM_THREADS:
            raise InputError(
                f"threads must be in 1..{numba.config.NUMBA_NUM_THREADS}, got {threads}: simulate"
            )
        recorded = np.asarray(record_potentials, dtype=np.int32)
        if recorded.size and not (recorded.min() >= 0 and recorded.max() < network.size):
            raise InputError(f"record_potentials must name neurons 0..{network.size - 1}")
        check_seed(seed, where="simulate")
        self.network, self.seed, self.threads = network, seed, threads
        self.record_currents, self.recorded = record_currents, recorded
        self._blocks = make_blocks(network)
        self._plasticity = make_plasticity(network)
        self._state = make_state(network, len(self._blocks.population), seed=seed)
        s = network.synapses
        cuts = cut_rows(s.start, s.target, self._blocks.first)
        self._wiring = Wiring(s.start, cuts, s.target, s.weight, s.delay)
        self._rest = resting(network)
        self._key = np.random.SeedSequence([seed, 3]).generate_state(1, np.uint64)[0]
        self._out_step = np.empty(8 * network.size + 4096, dtype=np.int64)
        self._out_neuron = np.empty(len(self._out_step), dtype=np.int32)
        self._step = 0
        self._due = np.empty(0, np.int64), np.empty(0, np.int32)  # forced spikes yet to come
        self._taken: set[str] = set()  # populations that had their pulse at this very step

    @property
    def time(self) -> float:
        """Time (s) up to which the network has run."""
        return self._step * self.network.dt

    def run(
        self,
        duration: float,
        *,
        drive: Drive | None = None,
        polarisation: Polarisation | Sequence[Polarisation] | None = None,
        trains: Trains | None = None,
    ) -> Spikes:
        """Run on for ``duration`` and return the spikes of this stretch.

        Parameters
        ----------
        duration
            Length (s), rounded to whole steps, > 0.
        drive
            Pulses. Those from the beginning to the end of the stretch, both included, are taken,
            each once; spikes that their latency brings after the end wait for the next stretch.
        polarisation
            Shift of the cells, or several that add up; a waveform counts from the beginning of
            the stretch.
        trains
            Spikes that the network's sources play; those from the beginning to before the end of
            the stretch are taken.

        Raises
        ------
        InputError
            If the duration is not > 0, an input names what the network has not or does not fit
            it, or the step is too long for the conductances that open.
        """
        network, begin = self.network, self._step
        n_steps = round(duration / network.dt) if np.isfinite(duration) else 0
        if n_steps < 1:
            raise InputError(
                f"duration must be at least one step of {network.dt} s, got {duration} s"
            )
        end = begin + n_steps
        given = self._input(begin, end, drive, polarisation, trains)
        potentials = np.empty((n_steps, len(self.recorded)))
        populations = len(network.populations)
        currents = np.empty((n_steps, populations, 2)) if self.record_currents else None
        edges = np.searchsorted(self._blocks.population, np.arange(populations))
        chunk = max(1, round(CHUNK / network.dt))
        steps, neurons = [np.empty(0, np.int64)], [np.empty(0, np.int32)]
        with _threads(self.threads):
            for lo in track(range(begin, end, chunk), "network activity"):
                hi = min(lo + chunk, end)
                rows = slice(lo - begin, hi - begin)
                blockwise = np.empty((hi - lo, len(self._blocks.population), 2))
                record = Record(
                    self.recorded,
                    potentials[rows],
                    blockwise if self.record_currents else blockwise[:, :0],
                )
                self._advance(lo, hi, given, record, steps, neurons)
                if currents is not None:
                    currents[rows] = np.add.reduceat(blockwise, edges, axis=1)
        return Spikes(
            times=(np.concatenate(steps) + 1).astype(np.float64) * network.dt,
            ids=np.concatenate(neurons),
            names=network.names,
            first=network.first,
            layers=tuple(p.layer for p in network.populations),
            excitatory=tuple(p.excitatory for p in network.populations),
            duration=n_steps * network.dt,
            dt=network.dt,
            seed=self.seed,
            currents=currents,
            potentials=potentials + self._rest[self.recorded],
            start=begin * network.dt,
        )

    def _input(
        self,
        begin: int,
        end: int,
        drive: Drive | None,
        polarisation: Polarisation | Sequence[Polarisation] | None,
        trains: Trains | None,
    ) -> Input:
        """Gather what comes in from outside, and keep the pulses' spikes that are due later."""
        network = self.network
        if isinstance(polarisation, Polarisation):
            polarisation = [polarisation]
        shift, waveform = shifts(polarisation or (), network, end - begin)
        played = played_spikes(trains or {}, network, begin=begin, end=end)
        step, neuron = self._due
        taken: set[str] = set()
        if drive is not None:
            new = forced_spikes(
                drive, network, seed=self.seed, begin=begin, end=end, taken=self._taken
            )
            step, neuron = np.concatenate([step, new[0]]), np.concatenate([neuron, new[1]])
            order = np.lexsort((neuron, step))
            step, neuron = step[order], neuron[order]
            if (np.rint(drive.times / network.dt) == end).any():
                taken = set(drive.probability)
        now = int(np.searchsorted(step, end))
        self._due, self._taken = (step[now:], neuron[now:]), taken
        grid = np.arange(begin, end + 1)
        return Input(
            begin,
            np.searchsorted(step[:now], grid),
            neuron[:now],
            np.searchsorted(played[0], grid),
            played[1],
            played[2],
            shift,
            waveform,
            np.zeros(network.size),
        )

    def _advance(
        self,
        begin: int,
        end: int,
        given: Input,
        record: Record,
        steps: list[NDArray[np.int64]],
        neurons: list[NDArray[np.int32]],
    ) -> None:
        """Run the steps ``begin:end``, appending their spikes."""
        from rheobase.neurons.network._network_numba import run_parallel, run_serial

        run = run_serial if self.threads == 1 else run_parallel
        while self._step < end:
            self._step, spikes = run(
                self._step,
                end,
                begin,
                self._key,
                self._wiring,
                self._plasticity,
                self._blocks,
                self._state,
                given,
                record,
                self._out_step,
                self._out_neuron,
            )
            steps.append(self._out_step[:spikes].copy())
            neurons.append(self._out_neuron[:spikes].copy())
        b = int(self._state.stiffest.argmax())
        if self._state.stiffest[b] > 1:
            name = self.network.names[self._blocks.population[b]]
            shortest = self.network.dt / self._state.stiffest[b]
            raise InputError(
                f"dt must be <= {shortest:.2g} s, the membrane's time constant under the "
                f"conductances of population {name!r} before {self.time:.3f} s, "
                f"got {self.network.dt} s"
            )


def simulate(
    network: Network,
    duration: float,
    *,
    seed: int,
    drive: Drive | None = None,
    polarisation: Polarisation | Sequence[Polarisation] | None = None,
    trains: Trains | None = None,
    threads: int = 1,
    record_currents: bool = False,
    record_potentials: Sequence[int] = (),
) -> Spikes:
    """Run ``network`` from its start for ``duration``: a :class:`Simulation` of one stretch.

    Parameters are those of :class:`Simulation` and :meth:`Simulation.run`, errors too.
    """
    simulation = Simulation(
        network,
        seed=seed,
        threads=threads,
        record_currents=record_currents,
        record_potentials=record_potentials,
    )
    return simulation.run(duration, drive=drive, polarisation=polarisation, trains=trains)


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
