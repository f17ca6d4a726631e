"""Thresholds and time courses of double-cable fibres under any outside potential."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option, check_positive
from rheobase._threads import in_parts
from rheobase.neurons.fibres._mrg_layout import LANES, PARTS
from rheobase.neurons.fibres.bends import REACH, node_bends, weighted
from rheobase.neurons.fibres.mrg import PERIOD, Circuit, MRGAxon, circuit, gate_rates
from rheobase.neurons.fibres.mrg_stimulus import Plan, Scheme, plan_of
from rheobase.neurons.fibres.mrg_tables import Tables, tables
from rheobase.neurons.morphology import Floats

Ends = Literal["passive", "active"]
Spike = Literal["either", "start", "end"]
STEP, AFTER = 5e-6, 10e-6  # s
_DRIVE = 10.0  # mV: filtered bends that fire a node, roughly
_WIDEN = 1.1  # first factor by which a bracket is sought
_TRAVEL = 3  # nodes before the place of the spike that must have spiked too
_REST = 40  # long steps that bring a fibre to rest
_CALM, _LONGEST = 0.1e-3, 20e-3  # s after the stimulus: when to look first, and last, for its end


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MRGThresholds:
    """Thresholds of m fibres.

    Parameters
    ----------
    amplitude
        At which each fibre fires, in units of the potential's amplitude, shape (m,); inf where the
        largest amplitude tried does not fire it.
    site
        Node where the spike starts just above the threshold, -1 for none, shape (m,).
    largest
        Largest amplitude tried for each fibre, shape (m,).
    """

    amplitude: Floats
    site: NDArray[np.int64]
    largest: Floats


def mrg_thresholds(
    axon: MRGAxon,
    potential: ArrayLike | Sequence[ArrayLike],
    stimulus: Any,
    *,
    ends: Ends = "passive",
    spike_at: Spike = "either",
    tolerance: float = 1e-3,
    guess: ArrayLike | None = None,
    reach: float = 100.0,
    dt: float = STEP,
    after: float = AFTER,
    scheme: Scheme = "bdf2",
) -> MRGThresholds:
    """Return the amplitude at which a spike travels along each fibre.

    Parameters
    ----------
    axon
        Sizes, the same for all fibres.
    potential
        Potential at the compartments of each fibre (`MRGAxon.compartments`) in V per unit
        amplitude: shape (m, c), or (m, r, c) for r sources with time courses of their own; a list
        of (c,) or (r, c) where the fibres have different numbers of nodes.
    stimulus
        Pulse width (s), or times ``t`` (s) and values ``w`` (1), shape (n,) or (r, n).
    ends
        "passive": the nodes at both ends have no membrane, for fibres that go on; "active": the
        fibre ends, sealed, in a node like all others.
    spike_at
        Where the spike must arrive: at a tenth of the nodes from "start", "end", or "either".
    tolerance
        Relative width of the bracket that bisection ends with.
    guess
        Amplitudes to begin with, shape (m,); estimated if None.
    reach
        Largest amplitude tried, in units of the first guess.
    dt, after
        Steps (s) during and after the stimulus.
    scheme
        "bdf2", of second order, or "euler", of first order and in equal steps as NEURON's.

    Raises
    ------
    InputError
        If shapes do not fit, a potential is not finite, or an option is unknown.
    """
    check_option("end of the fibre", ends, get_args(Ends))
    check_option("place of the spike", spike_at, get_args(Spike))
    check_positive("tolerance", tolerance)
    plan = plan_of(stimulus, dt, after, scheme)
    fibres = as_fibres(potential, plan.wave.shape[1])
    wires, made = _ready(axon, tuple(plan.dt), tuple(plan.ratio))
    first = rough_guess(fibres, plan) if guess is None else np.array(guess, dtype=np.float64)
    if first.shape != (len(fibres),):
        raise InputError(f"guess must have shape ({len(fibres)},), got {first.shape}")
    first[~np.isfinite(first)] = 0.0
    order = np.argsort([f.shape[1] for f in fibres], kind="stable")
    amplitude = np.full(len(fibres), np.inf)
    site = np.full(len(fibres), -1, dtype=np.int64)

    def work(some: slice) -> None:
        which = order[some]
        block = Block.of([fibres[i] for i in which], wires, ends, spike_at)
        runner = Runner.of(block, wires, made)
        amplitude[which], site[which] = _search(runner, plan, after, first[which], reach, tolerance)

    in_parts(work, len(fibres), LANES)
    return MRGThresholds(amplitude=amplitude, site=site, largest=reach * first)


def mrg_run(
    axon: MRGAxon,
    potential: ArrayLike,
    stimulus: Any,
    amplitude: float,
    duration: float,
    *,
    ends: Ends = "passive",
    dt: float = STEP,
    after: float = AFTER,
    scheme: Scheme = "bdf2",
) -> tuple[Floats, Floats]:
    """Return the membrane potential of one fibre's nodes over time.

    Parameters
    ----------
    axon, potential, stimulus, ends, dt, after, scheme
        As in `mrg_thresholds`, the potential of one fibre: shape (c,) or (r, c).
    amplitude
        Of the stimulus.
    duration
        To be run (s).

    Returns
    -------
    t
        Times (s), shape (n,).
    v
        Membrane potential (V), shape (n, nodes).

    Raises
    ------
    InputError
        As in `mrg_thresholds`.
    """
    check_option("end of the fibre", ends, get_args(Ends))
    check_positive("duration", duration)
    plan = plan_of(stimulus, dt, after, scheme)
    fibres = as_fibres([potential], plan.wave.shape[1])
    wires, made = _ready(axon, tuple(plan.dt), tuple(plan.ratio))
    block = Block.of(fibres, wires, ends, "either")
    block.sense[:] = -1  # to the end, whatever happens
    runner = Runner.of(block, wires, made)
    most = len(plan.kind) + int(np.ceil(duration / after))
    trace = np.empty((int(np.searchsorted(plan.times(most), duration)) + 1, *block.active.shape))
    runner.run(plan.kind, plan.wave, 0, len(trace), np.full(LANES, amplitude), trace)
    v = (trace[:, :, 0] + wires.node[0]) * 1e-3
    return plan.times(len(trace)), v


@lru_cache(maxsize=4)
def _ready(
    axon: MRGAxon, dt: tuple[float, ...], ratio: tuple[float, ...]
) -> tuple[Circuit, Tables]:
    """Return the elements of an axon and their tables, kept for the next fibres like these."""
    wires = circuit(axon)
    return wires, tables(wires, np.array(dt) * 1e3, np.array(ratio))


def as_fibres(potential: ArrayLike | Sequence[ArrayLike], sources: int) -> list[Floats]:
    """Return the potential along each fibre in mV, shape (r, c) each, after checks."""
    out = []
    for k, one in enumerate(potential):  # type: ignore[arg-type]
        V = np.atleast_2d(np.asarray(one, dtype=np.float64))
        where = f"fibre {k}"
        if V.ndim != 2 or V.shape[0] != sources or V.shape[1] % PERIOD != 1 or V.shape[1] < 23:
            raise InputError(
                f"expected potentials of {sources} time courses at 11 (nodes - 1) + 1 compartments "
                f"of at least 3 nodes, got the shape {V.shape}: {where}"
            )
        if not np.isfinite(V).all():
            raise InputError(f"expected finite potentials, got others: {where}")
        out.append(V * 1e3)
    return out


def rough_guess(fibres: list[Floats], plan: Plan) -> Floats:
    """Return amplitudes near the thresholds, from the second differences at the nodes; (m,)."""
    step = plan.dt[plan.kind[: len(plan.wave)]]
    filtered = np.zeros((len(plan.wave), plan.wave.shape[1]))
    y = np.zeros(plan.wave.shape[1])
    for n, h in enumerate(step):  # a node charges within about 0.15 ms
        y = (y + h / 150e-6 * plan.wave[n]) / (1 + h / 150e-6)
        filtered[n] = y
    strongest = np.unique(np.abs(filtered).argmax(axis=0))
    near = np.exp(-np.arange(8) / REACH)
    out = np.zeros(len(fibres))
    for k, V in enumerate(fibres):
        node = V[:, ::PERIOD]
        bends = node_bends(node)
        bends[:, 0], bends[:, -1] = node[:, 1] - node[:, 0], node[:, -2] - node[:, -1]
        top = weighted(filtered[strongest] @ bends, near).max()
        out[k] = _DRIVE / top if top > 0 else 0.0
    return out


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Block:
    """Up to `LANES` fibres as the kernels read them; see `rheobase.neurons.fibres._mrg_numba`."""

    source: Floats
    at_node: Floats
    active: Floats
    joined: Floats
    sense: NDArray[np.int64]

    @classmethod
    def of(cls, fibres: list[Floats], axon: Circuit, ends: Ends, spike_at: Spike) -> Block:
        """Lay fibres, shape (r, c) in mV each, side by side; the longest sets the size."""
        r = fibres[0].shape[0]
        nodes = np.array([(f.shape[1] - 1) // PERIOD + 1 for f in fibres])
        N = int(nodes.max())
        V = np.zeros((r, PERIOD * (N - 1) + 1, LANES))
        active, joined = np.zeros((N, LANES)), np.zeros((N + 1, LANES))
        sense = np.full((2, 2, LANES), -1, dtype=np.int64)
        for i, (f, n) in enumerate(zip(fibres, nodes.tolist(), strict=True)):
            V[:, : f.shape[1], i] = f
            V[:, f.shape[1] :, i] = f[:, -1:]
            active[:n, i] = 1.0
            if ends == "passive":
                active[[0, n - 1], i] = 0.0
            joined[1:n, i] = 1.0
            far = min(round(0.9 * (n - 1)), n - 2)
            come = far - min(_TRAVEL, (n - 1) // 4)
            if spike_at != "start":
                sense[1, :, i] = far, come
            if spike_at != "end":
                sense[0, :, i] = n - 1 - far, n - 1 - come
        rise = np.diff(V, axis=1).reshape(r, N - 1, PERIOD, LANES)
        inner, outer = (rise * g[:, None] for g in (axon.axial, axon.periaxonal))
        source = np.stack([np.diff(inner, axis=2), np.diff(outer, axis=2)], axis=3)
        at_node = np.zeros((r, N, LANES))
        at_node[:, :-1] += inner[:, :, 0]
        at_node[:, 1:] -= inner[:, :, -1]
        return cls(
            source=np.ascontiguousarray(source),
            at_node=at_node,
            active=active,
            joined=joined,
            sense=sense,
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Runner:
    """A block of fibres with its tables, brought to rest once and run from there."""

    block: Block
    numbers: tuple[Any, ...]
    rest: tuple[Floats, ...]
    spikes: NDArray[np.int32]

    @classmethod
    def of(cls, block: Block, axon: Circuit, made: Tables) -> Runner:
        """Bring the fibres to rest with long steps."""
        cap = np.stack([axon.axolemma, axon.myelin], axis=1)
        N = len(block.active)
        between = (N - 1, PARTS, 2, LANES)
        shapes = between, between, (N, LANES, 4), (N, LANES), (N, LANES)
        rest = tuple(np.zeros(shape) for shape in shapes)
        rest[2][:] = gate_rates(axon.node[:1])[0]
        numbers = made.internode, made.step, axon.axial[0], made.gates, cap, axon.node
        runner = cls(
            block=block, numbers=numbers, rest=rest, spikes=np.empty((N, LANES), dtype=np.int32)
        )
        none = np.zeros((1, len(block.source)))
        nothing = np.empty((0, N, LANES))
        kind = np.zeros(1, dtype=np.int64)
        runner._run(rest, kind, none, _REST, _REST, np.ones(LANES), nothing)
        return runner

    def run(
        self,
        kind: NDArray[np.int64],
        wave: Floats,
        calm: int,
        most: int,
        amplitude: Floats,
        trace: Floats,
    ) -> NDArray[np.int8]:
        """Return which fibres fire; see `rheobase.neurons.fibres._mrg_numba.run`."""
        state = tuple(part.copy() for part in self.rest)
        return self._run(state, kind, wave, calm, most, amplitude, trace)

    def _run(
        self,
        state: tuple[Floats, ...],
        kind: NDArray[np.int64],
        wave: Floats,
        calm: int,
        most: int,
        amplitude: Floats,
        trace: Floats,
    ) -> NDArray[np.int8]:
        from rheobase.neurons.fibres._mrg_numba import run

        b = self.block
        fired: NDArray[np.int8] = run(
            *self.numbers,
            kind,
            wave,
            calm,
            most,
            b.source,
            b.at_node,
            b.active,
            b.joined,
            b.sense,
            amplitude,
            *state,
            self.spikes,
            trace,
        )
        return fired

    def sites(self) -> NDArray[np.int64]:
        """Return the node that spiked first in the last run, shape (LANES,)."""
        late = np.iinfo(np.int32).max
        first = np.where(self.spikes < 0, late, self.spikes).argmin(axis=0)
        return first


def _search(
    runner: Runner, plan: Plan, after: float, guess: Floats, reach: float, tolerance: float
) -> tuple[Floats, NDArray[np.int64]]:
    """Bracket each threshold from its guess, then bisect in the logarithm, all side by side."""
    n = len(guess)
    amplitude = np.zeros(LANES)
    amplitude[:n] = guess
    largest = reach * amplitude
    low, high = np.zeros(LANES), np.full(LANES, np.inf)
    growth = np.full(LANES, _WIDEN)
    site = np.full(LANES, -1, dtype=np.int64)
    calm, most = (len(plan.kind) + int(np.ceil(t / after)) for t in (_CALM, _LONGEST))
    nothing = np.empty((0, *runner.block.active.shape))
    while amplitude.any():
        fired = runner.run(plan.kind, plan.wave, calm, most, amplitude, nothing) > 0
        yes, no = fired & (amplitude > 0), ~fired & (amplitude > 0)
        high[yes], low[no] = amplitude[yes], amplitude[no]
        site[yes] = runner.sites()[yes]
        going = (amplitude > 0) & (high > low * (1 + tolerance)) & (low < largest)
        upwards, downwards = np.minimum(low * growth, largest), high / growth
        with np.errstate(invalid="ignore"):
            between = np.sqrt(low * high)
        amplitude = np.where(low == 0, downwards, np.where(high == np.inf, upwards, between))
        amplitude[~going] = 0.0
        growth = np.minimum(growth**2, 2.0)
    with np.errstate(invalid="ignore"):
        found = np.where(high < np.inf, np.sqrt(low * high), np.inf)
    return found[:n], site[:n]
