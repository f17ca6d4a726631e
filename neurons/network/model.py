"""A network of spiking point neurons: populations, synapses by source, external input.

Each neuron is leaky integrate-and-fire with exponential synaptic currents,

    C dV/dt = -(C/tau_m) (V - E_L) + I_E + I_I + I_dc,
    dI_E/dt = -I_E/tau_E + sum of weights arriving,     and the same for I_I with tau_I,

a spike where V >= V_th, after which V stays at V_reset for ``t_ref``. Weights > 0 feed I_E, those
< 0 feed I_I. Between grid points the system is linear, so that a step of the grid is exact
(Rotter & Diesmann 1999, 10.1007/s004220050570; the model is NEST's ``iaf_psc_exp``, Tsodyks,
Uziel & Markram 2000).

A neuron with reversal potentials has conductances in place of the currents: I_E = g_E (E_E - V)
and I_I = g_I (E_I - V), g decaying as the currents above and weights being conductances (NEST's
``iaf_cond_exp``). Its potential advances by the classical Runge-Kutta method of fourth order,
with the conductances exact at the ends and in the middle of a step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option
from rheobase.neurons.network.plasticity import ShortTerm

LONGEST = 2**16 - 1  # steps of a delay


@dataclass(frozen=True, kw_only=True, slots=True)
class LIF:
    """Constants of a leaky integrate-and-fire neuron.

    Parameters
    ----------
    C
        Capacitance (F).
    tau_m
        Membrane time constant (s).
    E_L, V_th, V_reset
        Resting, threshold and reset potential (V); V_reset < V_th.
    t_ref
        Absolute refractory period (s).
    tau_E, tau_I
        Decay of the excitatory and of the inhibitory synaptic current or conductance (s).
    E_E, E_I
        Reversal potentials (V) of excitation and inhibition: both or neither. With them every
        weight onto the neuron is a conductance (S), still < 0 where it inhibits; without them a
        current (A).

    Raises
    ------
    InputError
        If a time or the capacitance is not > 0, a potential is not finite, V_reset is not below
        V_th, or only one reversal potential is given.
    """

    C: float
    tau_m: float
    E_L: float
    V_th: float
    V_reset: float
    t_ref: float
    tau_E: float
    tau_I: float
    E_E: float | None = None
    E_I: float | None = None

    def __post_init__(self) -> None:
        """Check signs and the order of the potentials."""
        for name in ("C", "tau_m", "t_ref", "tau_E", "tau_I"):
            if not 0 < getattr(self, name) < np.inf:
                raise InputError(f"{name} must be > 0, got {getattr(self, name)!r}: LIF")
        if (self.E_E is None) != (self.E_I is None):
            raise InputError(
                f"E_E and E_I must be given together, got {self.E_E} V and {self.E_I} V: LIF"
            )
        for name in ("E_L", "V_th", "V_reset", "E_E", "E_I"):
            value = getattr(self, name)
            if value is not None and not np.isfinite(value):
                raise InputError(f"{name} must be finite, got {value}: LIF")
        if not self.V_reset < self.V_th:
            raise InputError(
                f"V_reset must be below V_th = {self.V_th} V, got {self.V_reset} V: LIF"
            )

    def psc(self, psp: float) -> float:
        """Return the weight (A) whose post-synaptic potential from rest peaks at ``psp`` (V).

        It is a current; where synapses are conductances, it divided by E_E - E_L gives the same
        potential as long as that is small beside E_E - E_L.

        The potential after a unit current decaying with ``tau_E`` is
        tau_m tau_E / (C (tau_m - tau_E)) (exp(-t/tau_m) - exp(-t/tau_E)).

        Examples
        --------
        >>> cell = LIF(C=250e-12, tau_m=10e-3, E_L=-65e-3, V_th=-50e-3, V_reset=-65e-3,
        ...            t_ref=2e-3, tau_E=0.5e-3, tau_I=0.5e-3)
        >>> round(cell.psc(0.15e-3) * 1e12, 4)
        87.8085
        """
        a, b = self.tau_m, self.tau_E
        if a == b:
            return psp * self.C * np.e / a
        t = a * b * np.log(a / b) / (a - b)
        return float(psp * self.C * (a - b) / (a * b * (np.exp(-t / a) - np.exp(-t / b))))

    def propagator(self, dt: float, tau_syn: float) -> float:
        """Return V (V) after ``dt`` (s) from rest per synaptic current (A) at its start."""
        a, b = self.tau_m, tau_syn
        x = dt * (1 / a - 1 / b)
        ratio = np.expm1(x) / x if x else 1.0  # its limit where the two time constants agree
        return float(dt / self.C * np.exp(-dt / a) * ratio)


@dataclass(frozen=True, kw_only=True, slots=True)
class LIFPopulation:
    """Neurons that share constants, external input and start.

    Parameters
    ----------
    name, layer
        Name ("L23E") and layer ("L23").
    excitatory
        Whether its synapses excite.
    size
        Number of neurons, > 0.
    neuron
        Constants of each neuron.
    direct_current
        Constant current into each neuron (A).
    external_rate, external_weight
        Total rate (Hz) of the Poisson spikes that each neuron receives from outside, independent
        of all others, and the weight (A, or S onto conductances; >= 0) of each.
    V0_mean, V0_sd
        Mean and standard deviation (V) of the normal initial potential.

    Raises
    ------
    InputError
        If the size is not > 0, or a rate, weight or deviation is negative.
    """

    name: str
    layer: str
    excitatory: bool
    size: int
    neuron: LIF
    direct_current: float = 0.0
    external_rate: float = 0.0
    external_weight: float = 0.0
    V0_mean: float
    V0_sd: float = 0.0

    def __post_init__(self) -> None:
        """Check size and signs."""
        if self.size < 1:
            raise InputError(f"size must be >= 1, got {self.size}: population {self.name!r}")
        for name in ("external_rate", "external_weight", "V0_sd"):
            if not 0 <= getattr(self, name) < np.inf:
                raise InputError(
                    f"{name} must be >= 0, got {getattr(self, name)!r}: population {self.name!r}"
                )


@dataclass(frozen=True, kw_only=True, slots=True)
class SpikeSource:
    """Neurons without a membrane, whose spikes are given at the run (``trains``).

    Parameters
    ----------
    name, layer
        Name ("thalamus") and layer or place ("VPM").
    excitatory
        Whether its synapses excite.
    size
        Number of neurons, > 0.

    Raises
    ------
    InputError
        If the size is not > 0.
    """

    name: str
    layer: str
    excitatory: bool
    size: int

    def __post_init__(self) -> None:
        """Check the size."""
        if self.size < 1:
            raise InputError(f"size must be >= 1, got {self.size}: source {self.name!r}")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Synapses:
    """Synapses in compressed rows, one row a source: 9 bytes each (10 with long delays).

    Parameters
    ----------
    start
        Synapses of source ``i`` are ``start[i]:start[i + 1]``, shape (n_neurons + 1,), int64.
    target
        Target of each, ascending within a source, shape (n_synapses,), int32.
    weight
        Weight (A, or S onto conductances), < 0 where it inhibits, shape (n_synapses,), float32.
    delay
        Delay in steps, >= 1, shape (n_synapses,), uint8 or uint16.

    Raises
    ------
    InputError
        If shapes do not fit, a weight is not finite, or a delay is below one step.
    """

    start: NDArray[np.int64]
    target: NDArray[np.int32]
    weight: NDArray[np.float32]
    delay: NDArray[np.unsignedinteger[Any]]

    def __post_init__(self) -> None:
        """Check shapes and delays."""
        n = len(self.target)
        if self.start.ndim != 1 or self.start[0] != 0 or self.start[-1] != n:
            raise InputError(f"start must run from 0 to {n} synapses: synapses")
        if self.weight.shape != (n,) or self.delay.shape != (n,):
            raise InputError(f"weight and delay must have shape ({n},): synapses")
        if n and self.delay.min() < 1:
            raise InputError("delay must be >= 1 step, got 0: synapses")
        if not np.isfinite(self.weight).all():
            raise InputError("weight must be finite: synapses")

    @property
    def nbytes(self) -> int:
        """Bytes of the four arrays."""
        return sum(getattr(self, f.name).nbytes for f in fields(self))

    @classmethod
    def from_pairs(
        cls,
        n_neurons: int,
        source: Any,
        target: Any,
        weight: Any,
        delay: Any,
        *,
        dt: float,
    ) -> Synapses:
        """Return explicit synapses ``source -> target`` with weights (A) and delays (s).

        Raises
        ------
        InputError
            If an index is outside the network or a delay rounds to less than one step.
        """
        pairs = np.broadcast_arrays(
            np.asarray(source, np.int64), np.asarray(target, np.int64), weight, delay
        )
        source, target, weight, delay = (np.ravel(x) for x in pairs)
        for name, ids in (("source", source), ("target", target)):
            if ids.size and not (ids.min() >= 0 and ids.max() < n_neurons):
                raise InputError(f"{name} must be in 0..{n_neurons - 1}: synapses")
        steps = np.rint(np.asarray(delay) / dt)
        if not (steps >= 1).all():
            raise InputError(f"delay must be at least one step of {dt} s, got {delay.min()} s")
        if steps.max(initial=0) > LONGEST:
            raise InputError(
                f"delay must be at most {LONGEST:,} steps of {dt} s, got {delay.max()} s"
            )
        order = np.lexsort((target, source))
        return cls(
            start=np.concatenate([[0], np.cumsum(np.bincount(source, minlength=n_neurons))]),
            target=target[order].astype(np.int32),
            weight=weight[order].astype(np.float32),
            delay=steps[order].astype(np.uint8 if steps.max(initial=0) < 256 else np.uint16),
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Network:
    """Populations and the synapses among them, on a grid of time.

    Parameters
    ----------
    populations
        Populations; neurons are numbered through them in this order.
    synapses
        Synapses of all neurons, the sources' included.
    dt
        Step of the grid (s) on which delays are counted and spikes happen.
    sources
        Neurons whose spikes are given, numbered after those of the populations.
    plasticity
        Short-term plasticity by (source, target) population; other synapses keep their weight.

    Raises
    ------
    InputError
        If names repeat, the step exceeds a time constant, a refractory period is below it, the
        synapses belong to another number of neurons, or plasticity names a population the network
        has not.
    """

    populations: tuple[LIFPopulation, ...]
    synapses: Synapses
    dt: float
    sources: tuple[SpikeSource, ...] = ()
    plasticity: Mapping[tuple[str, str], ShortTerm] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check that populations, synapses and grid belong together."""
        names = self.all_names
        if len(set(names)) != len(names) or not self.populations:
            raise InputError(f"populations must have distinct names, got {names}: network")
        if len(self.synapses.start) != self.all_size + 1:
            raise InputError(
                f"synapses must have {self.all_size} sources, got {len(self.synapses.start) - 1}"
            )
        target = self.synapses.target
        if target.size and not (target.min() >= 0 and target.max() < self.size):
            raise InputError(f"targets must be in 0..{self.size - 1}: network")
        for p in self.populations:
            shortest = min(p.neuron.tau_m, p.neuron.tau_E, p.neuron.tau_I, p.neuron.t_ref)
            if not 0 < self.dt <= shortest:
                raise InputError(
                    f"dt must be > 0 and <= {shortest} s, the shortest time of population "
                    f"{p.name!r}, got {self.dt} s"
                )
        for before, after in self.plasticity:
            check_option("population", before, names, where="plasticity's source")
            check_option("population", after, self.names, where="plasticity's target")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the populations."""
        return tuple(p.name for p in self.populations)

    @property
    def all_names(self) -> tuple[str, ...]:
        """Names of the populations, then of the sources."""
        return self.names + tuple(s.name for s in self.sources)

    @property
    def first(self) -> NDArray[np.int64]:
        """First neuron of each population, and the end, shape (n_populations + 1,)."""
        return self.all_first[: len(self.populations) + 1]

    @property
    def all_first(self) -> NDArray[np.int64]:
        """First neuron of each population and source, and the end, shape (n + 1,)."""
        return np.concatenate([[0], np.cumsum([p.size for p in self.populations + self.sources])])

    @property
    def size(self) -> int:
        """Number of neurons with a membrane."""
        return sum(p.size for p in self.populations)

    @property
    def all_size(self) -> int:
        """Number of neurons, the sources' included."""
        return self.size + sum(s.size for s in self.sources)

    def ids(self, name: str) -> range:
        """Return the neurons of population or source ``name``.

        Raises
        ------
        InputError
            If there is none, with the nearest names.
        """
        names, first = self.all_names, self.all_first
        k = names.index(check_option("population", name, names, where="network"))
        return range(int(first[k]), int(first[k + 1]))


def memory_bytes(n_neurons: int, n_synapses: int, max_delay: int) -> int:
    """Return the bytes that a network and its run need, spikes aside.

    A synapse is 9 bytes (10 where ``max_delay``, in steps, exceeds 255). A neuron has a row start
    (8), a state of 56 (potential 8, two currents 16, refractory count 4, noise 8, spike lists 12,
    polarisation 8) and two float32 ring slots for each step of delay.

    Examples
    --------
    >>> memory_bytes(77_169, 298_881_000, 60) / 2**30  # the full microcircuit, GiB
    2.54...
    """
    per_synapse = 9 if max_delay < 256 else 10
    return n_synapses * per_synapse + n_neurons * (8 + 56 + 8 * max_delay)
