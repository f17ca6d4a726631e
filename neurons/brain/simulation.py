"""Whole-brain simulation: a neural mass on each region, coupled along the connectome.

Region i receives I_i(t) = K sum_j w_ij R_j(t - L_ij / speed): the firing rate of the pyramidal
cells of the others, later by the length of the tract. Steps are Heun's (second order); delays are
not rounded to steps but read between them.

What a stimulus does is the engine's own (`rheobase.neurons.network.drive`), with the populations
of a region for populations and regions for cells. A **drive** makes the share P of a population
fire once: its rate gains P g(t - latency), with g the gamma density of shape 3 (standard deviation
``jitter``), and these spikes go wherever spikes of the population go, along the tracts too. A
**polarisation** shifts the potential that the population's sigmoid sees, as it stands: a region has
no membrane that would filter it once more, so that the soma's own shift at the field's frequency is
what to give.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option
from rheobase._progress import stage
from rheobase.neurons.brain.connectome import Connectome, brain_facts
from rheobase.neurons.brain.jansen_rit import POPULATIONS, SHARES, JansenRit, damped

if TYPE_CHECKING:
    from rheobase.neurons.network.drive import Drive, Polarisation

Floats = NDArray[np.float64]

_SHAPE = 3  # of the gamma density of a volley
_TAIL = 40.0  # time constants after which a volley is over
_NEWTON = 50
_WORTH_SAYING = 2e8  # connections times steps: some seconds


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class BrainNetwork:
    """Regions, their model and their coupling.

    Parameters
    ----------
    connectome
        Regions and connections; its weights are taken as they are (see `Connectome.normalised`).
    model
        Constants of the regions.
    coupling
        Pulses/s that arrive for each 1/s of a region with weight 1 (1).
    speed
        Of conduction along the tracts (m/s).
    dt
        Step (s).
    jitter
        Standard deviation of the time at which cells fire on a pulse (s).

    Raises
    ------
    InputError
        If a number is out of range, a constant does not fit the regions, the shortest delay is
        below the step, or the step is too long for the synapses.
    """

    connectome: Connectome
    model: JansenRit = field(default_factory=damped)
    coupling: float = brain_facts()["network"]["coupling"]
    speed: float = brain_facts()["network"]["speed"]
    dt: float = 1e-4
    jitter: float = 0.5e-3

    def __post_init__(self) -> None:
        """Check the numbers together."""
        if not (np.isfinite(self.coupling) and self.coupling >= 0):
            raise InputError(f"coupling must be finite and >= 0, got {self.coupling}: brain")
        for name in ("speed", "dt", "jitter"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise InputError(f"{name} must be finite and > 0, got {value}: brain")
        table = self.model.table(len(self.connectome))
        fastest = table[2:4].max()
        if self.dt * fastest > 0.2:
            raise InputError(
                f"dt must be at most a fifth of the fastest synapse, {0.2 / fastest:.3g} s, got "
                f"{self.dt} s: brain"
            )
        if self.jitter < self.dt:
            raise InputError(
                f"jitter must be at least the step of {self.dt} s, got {self.jitter} s: brain"
            )
        joined = np.argwhere(self.connectome.weights > 0)
        if len(joined):
            delays = self.delays[tuple(joined.T)]
            i, j = joined[delays.argmin()]
            if delays.min() < self.dt * (1 - 1e-9):
                names = self.connectome.names
                raise InputError(
                    f"delays must be at least the step of {self.dt} s, got {delays.min():.3g} s "
                    f"from {names[j]!r} to {names[i]!r}: brain"
                )

    @property
    def delays(self) -> Floats:
        """Delay of each connection (s), shape (n, n)."""
        delays: Floats = self.connectome.lengths / self.speed
        return delays

    def rest(self, start: ArrayLike | None = None) -> Floats:
        """Return the potentials y1 - y2 (V) of an equilibrium of the whole network, shape (n,).

        Newton's method on v = y1 - y2 with y0, y1, y2 at rest.

        Parameters
        ----------
        start
            Where it begins (V), one number or shape (n,); by default the lowest equilibrium of a
            network of equal, mean regions. There may be several.

        Raises
        ------
        InputError
            If no equilibrium is found from there.
        """
        n = len(self.connectome)
        table = self.model.table(n)
        m = JansenRit(**dict(zip(_constants(), table, strict=True)))
        if start is None:
            mean = dict(zip(_constants(), table.mean(axis=1).tolist(), strict=True))
            back = self.coupling * float(self.connectome.weights.sum(axis=1).mean())
            start = JansenRit(**mean).equilibria(returned=back)[0]
        v = np.broadcast_to(np.asarray(start, dtype=np.float64), (n,)).copy()
        coupled = self.coupling * self.connectome.weights
        gain, c1, c3 = table[0] / table[2], SHARES[0] * table[4], SHARES[2] * table[4]
        for _ in range(_NEWTON):
            s, ds = m.rate(v), m.slope(v)
            y0, dy0 = gain * s, gain * ds
            y1 = gain * (table[8] + m.excitation(y0) + coupled @ s)
            residual = v - y1 + m.inhibition(y0)
            up = gain * SHARES[1] * table[4] * m.slope(c1 * y0) * c1
            down = table[1] / table[3] * SHARES[3] * table[4] * m.slope(c3 * y0) * c3
            J = np.diag(1 - (up - down) * dy0) - gain[:, None] * coupled * ds
            change = np.linalg.solve(J, residual)
            v -= change * min(1.0, 2e-3 / max(np.abs(change).max(), 1e-300))
            if np.abs(change).max() < 1e-13:
                return v
        raise InputError(
            f"found no equilibrium in {_NEWTON} steps, the last change was "
            f"{np.abs(change).max():.2g} V: start elsewhere"
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Activity:
    """What the regions did in a stretch.

    Parameters
    ----------
    names
        Regions, shape (n,).
    time
        Times (s), shape (t,).
    potential
        y1 - y2 of the pyramidal cells (V), shape (n, t).
    """

    names: tuple[str, ...]
    time: Floats
    potential: Floats

    def __getitem__(self, name: str) -> Floats:
        """Return the potential of one region (V), shape (t,)."""
        known = check_option("region", name, self.names, where="activity")
        course: Floats = self.potential[self.names.index(known)]
        return course


class BrainSimulation:
    """A network at a time; `run` takes it on. However a run is cut, it is the same.

    Parameters
    ----------
    network
        The network.
    seed
        Of the noise.
    start
        Equilibrium to start from, see `BrainNetwork.rest`.
    state
        Instead, y0, y1, y2 (V) and their slopes (V/s) to start from, shape (6, n). Either is taken
        for the past too.
    every
        Steps from one recorded value to the next.

    Raises
    ------
    InputError
        If there is no such equilibrium, the state has another shape, or ``every`` is below 1.
    """

    def __init__(
        self,
        network: BrainNetwork,
        *,
        seed: int = 0,
        start: ArrayLike | None = None,
        state: ArrayLike | None = None,
        every: int = 1,
    ) -> None:
        """Put every region at rest, or into its state."""
        from rheobase.neurons.brain._brain_numba import State, Tracts

        if every < 1:
            raise InputError(f"every must be at least 1 step, got {every}: brain")
        self.network, self.every, self._seed, self._step = network, every, seed, 0
        n = len(network.connectome)
        self._constants = network.model.table(n)
        weights = network.coupling * network.connectome.weights
        target, source = np.nonzero(weights)
        delay = network.delays[target, source] / network.dt
        whole = np.maximum(np.floor(delay + 1e-9).astype(np.int32), 1)
        self._tracts = Tracts(
            np.searchsorted(target, np.arange(n + 1)).astype(np.int64),
            source.astype(np.int32),
            weights[target, source],
            whole,
            np.clip(delay - whole, 0.0, 1.0),
        )
        y = self._at_rest(start) if state is None else np.array(state, dtype=np.float64)
        if y.shape != (6, n) or not np.isfinite(y).all():
            raise InputError(f"state must be finite with shape (6, {n}), got {y.shape}: brain")
        sent = JansenRit(**dict(zip(_constants(), self._constants, strict=True))).rate(y[1] - y[2])
        length = int(whole.max(initial=1)) + 2
        self._state = State(y, weights @ sent, np.tile(sent, (length, 1)))
        self._volleys: list[tuple[Floats, Floats]] = []

    def _at_rest(self, start: ArrayLike | None) -> Floats:
        v = self.network.rest(start)
        m = JansenRit(**dict(zip(_constants(), self._constants, strict=True)))
        y = np.zeros((6, len(v)))
        y[0] = self._constants[0] / self._constants[2] * m.rate(v)
        y[2] = m.inhibition(y[0])
        y[1] = v + y[2]
        return y

    @property
    def time(self) -> float:
        """Present time (s)."""
        return self._step * self.network.dt

    @property
    def state(self) -> Floats:
        """y0, y1, y2 (V) and their slopes (V/s) at the present time, shape (6, n)."""
        return self._state.y.copy()

    def run(
        self,
        duration: float,
        *,
        drive: Drive | None = None,
        polarisation: Polarisation | Sequence[Polarisation] | None = None,
    ) -> Activity:
        """Advance by ``duration`` (s).

        Parameters
        ----------
        duration
            A whole number of steps.
        drive
            Probability that a cell of "pyramidal", "excitatory" or "inhibitory" fires, one number
            or by region, at pulses in absolute time; those of this stretch are taken.
        polarisation
            Shift (V) of the same populations, one number or by region, and a waveform that counts
            from the beginning of the stretch, one value a step; several add up.

        Raises
        ------
        InputError
            If the duration is no whole number of steps, or the stimulus names other populations
            or numbers of regions than the network has.
        """
        from rheobase.neurons.brain._brain_numba import run

        net = self.network
        steps = round(duration / net.dt)
        if not duration > 0 or abs(steps * net.dt - duration) > 1e-6 * net.dt * max(steps, 1):
            raise InputError(
                f"duration must be a whole number of steps of {net.dt} s, got {duration} s: brain"
            )
        self._take(drive, self.time, self.time + duration)
        shift, waveform = self._shift(polarisation, steps)
        every, first = self.every, self._step
        rows = (first + steps) // every - first // every
        record = np.empty((rows, len(net.connectome)))
        tau = net.jitter / np.sqrt(_SHAPE)
        arguments = (
            first,
            net.dt,
            self._state,
            self._constants,
            np.array(SHARES),
            self._tracts,
            self._pending(),
            tau,
            shift,
            waveform,
            np.uint64(self._seed),
            every,
            record,
        )
        if steps * len(self._tracts.weight) > _WORTH_SAYING:
            with stage(f"{len(net.connectome)} regions, {duration:g} s"):
                run(*arguments)
        else:
            run(*arguments)
        self._step += steps
        self._volleys = [v for v in self._volleys if v[1].max() + _TAIL * tau > self.time - net.dt]
        time = np.float64(net.dt * every) * np.arange(first // every + 1, first // every + 1 + rows)
        return Activity(names=net.connectome.names, time=time, potential=record.T)

    def _take(self, drive: Drive | None, start: float, stop: float) -> None:
        """Keep the volleys of the pulses from ``start`` to before ``stop``."""
        if drive is None:
            return
        n = len(self.network.connectome)
        near = 1e-6 * self.network.dt
        size, late = np.zeros((3, n)), np.zeros((3, n))
        for name, p in drive.probability.items():
            check_option("population", name, POPULATIONS, where="drive of the brain")
            latency = drive.latency[name] if isinstance(drive.latency, Mapping) else drive.latency
            row = POPULATIONS.index(name)
            size[row] = _by_region(p, n, f"probability of {name!r}")
            late[row] = _by_region(latency, n, f"latency of {name!r}")
        for pulse in drive.times[(drive.times >= start - near) & (drive.times < stop - near)]:
            self._volleys.append((size, pulse + late))

    def _pending(self) -> Any:
        from rheobase.neurons.brain._brain_numba import Volleys

        shape = (0, 3, len(self.network.connectome))
        size = np.stack([v[0] for v in self._volleys]) if self._volleys else np.empty(shape)
        onset = np.stack([v[1] for v in self._volleys]) if self._volleys else np.empty(shape)
        return Volleys(size, onset, onset.min(axis=(1, 2)), onset.max(axis=(1, 2)))

    def _shift(
        self, polarisation: Polarisation | Sequence[Polarisation] | None, steps: int
    ) -> tuple[Floats, Floats]:
        """Return shifts (V), shape (k, 3, n), and waveforms of the stretch, shape (k, steps)."""
        several = polarisation if isinstance(polarisation, Sequence) else [polarisation]
        given = [one for one in several if one is not None]
        n = len(self.network.connectome)
        shift, waveform = np.zeros((len(given), 3, n)), np.empty((len(given), steps))
        for k, one in enumerate(given):
            for name, v in one.shift.items():
                check_option("population", name, POPULATIONS, where="polarisation of the brain")
                shift[k, POPULATIONS.index(name)] = _by_region(v, n, f"shift of {name!r}")
            w = np.asarray(one.waveform, dtype=np.float64)
            if w.ndim and len(w) < steps:
                raise InputError(
                    f"waveform must have at least {steps} values, one a step, got {len(w)}: "
                    "polarisation of the brain"
                )
            waveform[k] = w[:steps] if w.ndim else w
        return shift, waveform


def simulate_brain(
    network: BrainNetwork,
    duration: float,
    *,
    seed: int = 0,
    drive: Drive | None = None,
    polarisation: Polarisation | Sequence[Polarisation] | None = None,
    start: ArrayLike | None = None,
    every: int = 1,
) -> Activity:
    """Run a network from rest in one stretch; see `BrainSimulation`."""
    simulation = BrainSimulation(network, seed=seed, start=start, every=every)
    return simulation.run(duration, drive=drive, polarisation=polarisation)


def _constants() -> tuple[str, ...]:
    return tuple(JansenRit.__dataclass_fields__)


def _by_region(values: ArrayLike, n: int, what: str) -> Floats:
    out = np.asarray(values, dtype=np.float64)
    if out.shape not in ((), (n,)):
        raise InputError(
            f"{what} must be one number or have shape ({n},) for {n} regions, got {out.shape}: "
            "brain"
        )
    return np.broadcast_to(out, (n,))
