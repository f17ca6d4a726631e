"""The amplitude at which a cell just fires, for many placements.

A spike is the crossing of 0 mV by at least three compartments of bare axon, initial segment, nodes
or terminals (the criterion of the runs that ``data/site_threshold.toml`` rests on); internodes
follow their nodes and are not counted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_positive
from rheobase._threads import in_parts
from rheobase.neurons.cable import polarisation
from rheobase.neurons.fibres.mrg_stimulus import Plan
from rheobase.neurons.generate import Cell
from rheobase.neurons.membrane.channels import TEMPERATURE
from rheobase.neurons.membrane.circuit import Circuit, circuit
from rheobase.neurons.morphology import Floats, Morphology
from rheobase.neurons.spiking._layout import LANES
from rheobase.neurons.spiking.lanes import Lanes
from rheobase.neurons.spiking.rest import resting_state
from rheobase.neurons.spiking.run import steps_of

_CALM = 0.2e-3  # s after the stimulus: when a quiet cell is given up first
_WIDEN = 1.05  # first factor by which a bracket is sought
_SMALLEST = 8e-3  # V: depolarisation that the guess takes at least
_PART = 8 * LANES  # placements of a part in threads


def spiking_thresholds(
    cell: Cell | Morphology,
    rise: ArrayLike,
    waveform: Any,
    *,
    name: str | None = None,
    dt: float | None = None,
    tolerance: float = 0.01,
    after: float = 5e-3,
    guess: ArrayLike | None = None,
    reach: float = 100.0,
    counted: ArrayLike | None = None,
    level: float = 0.0,
    temperature: float = TEMPERATURE,
) -> tuple[Floats, NDArray[np.int32]]:
    """Return the threshold of each placement for the stimulus as given and reversed.

    Parameters
    ----------
    cell
        A cell, or its compartments.
    rise
        Rises of the outside potential from the parent (V per unit amplitude), shape (m, n), or
        (blocks, n, lanes) with m = blocks lanes as `Sampler.rises` gives.
    waveform
        Width of a rectangular pulse (s), or samples ``t`` (s) and ``w`` (1).
    name
        Membrane; a cell brings its own.
    dt
        Longest step during the stimulus (s); `run.steps_of` chooses it when left out.
    tolerance
        Relative width of the bracket that bisection ends with; its middle is returned.
    after
        How long a spike is waited for after the stimulus (s).
    guess
        Amplitudes to begin with, shape (m,) or (2, m); from the linear cable when left out.
    reach
        Largest amplitude tried, in units of the guess.
    counted
        Compartments in which a spike is looked for, shape (n,); those of the circuit when left out.
    level
        Potential that three of them must cross (V).
    temperature
        Of the channels (°C).

    Returns
    -------
    threshold
        As given and reversed, shape (2, m); inf where no spike is found within ``reach``.
    site
        Compartment that crosses the level first, just above the threshold, -1 for none; (2, m).

    Raises
    ------
    InputError
        If shapes do not fit, a rise is not finite, or the waveform is none.
    """
    check_positive("tolerance", tolerance)
    check_positive("time after the stimulus", after)
    shape = cell.morphology if isinstance(cell, Cell) else cell
    rises = _rows(rise, len(shape))
    m = len(rises)
    of = circuit(cell, name)
    plan = steps_of(waveform, dt)
    where = of.counted if counted is None else np.asarray(counted, dtype=bool)
    if where.shape != (len(of),):
        raise InputError(f"counted must have shape ({len(of)},), got {where.shape}")
    rest = resting_state(of, temperature=temperature)
    if guess is None:
        needed = _needed(of.counted, rest, plan)
        first = np.stack([_guess(shape, needed, plan, r) for r in rises], axis=1)
    else:
        first = np.array(np.broadcast_to(np.asarray(guess, dtype=np.float64), (2, m)))
    first[~np.isfinite(first)] = 0.0
    threshold = np.full((2, m), np.inf)
    site = np.full((2, m), -1, dtype=np.int32)

    def work(some: slice) -> None:
        lanes = _lanes(of, rest, plan, after, where, level, temperature)
        _search(
            lanes, rises[some], first[:, some], reach, tolerance, threshold[:, some], site[:, some]
        )

    in_parts(work, m, _PART)
    return threshold, site


def _rows(rise: ArrayLike, n: int) -> NDArray[Any]:
    rises = np.asarray(rise)
    if rises.ndim == 3 and rises.shape[1] == n:
        rises = rises.transpose(0, 2, 1).reshape(-1, n)
    if rises.ndim != 2 or rises.shape[1] != n:
        raise InputError(
            f"rise must have shape (m, {n}) or (blocks, {n}, lanes), got {rises.shape}"
        )
    if not np.isfinite(rises).all():
        raise InputError("expected finite rises of the outside potential, got others")
    return np.ascontiguousarray(rises)


def _guess(shape: Morphology, needed: Floats, plan: Plan, rise: NDArray[Any]) -> Floats:
    """Amplitudes near the thresholds of both polarities, from the linear cable; (2,)."""
    dt = plan.dt[plan.kind[: len(plan.wave)]]
    v = polarisation(shape, rise, plan.wave[:, 0], dt) / needed
    with np.errstate(divide="ignore"):
        out: Floats = 1.0 / np.array([v.max(initial=0.0), (-v).max(initial=0.0)])
    return out


def _needed(counted: NDArray[np.bool_], rest: Floats, plan: Plan) -> Floats:
    """Depolarisation after each step at which a spike starts, roughly (V), shape (steps, n)."""
    w = plan.wave[:, 0]
    area = np.abs(w) * plan.dt[plan.kind[: len(w)]]
    width = np.cumsum(area)
    turns = np.flatnonzero(np.diff(np.sign(w), prepend=0.0))  # where a phase begins
    begun = np.maximum.accumulate(np.isin(np.arange(len(w)), turns) * np.arange(len(w)))
    width -= (width - area)[begun]
    level = -63.6e-3 + 6.5e-3 * (np.maximum(width, 1e-6) / np.abs(w).max() / 1e-3) ** -0.485
    return np.where(counted, np.maximum(level[:, None] - rest, _SMALLEST), np.inf)


def _lanes(
    of: Circuit,
    rest: Floats,
    plan: Plan,
    after: float,
    counted: NDArray[np.bool_],
    level: float,
    temperature: float,
) -> Lanes:
    # the last steps of the plan go on: count those needed for the times after the stimulus
    lasts = float(plan.times(len(plan.wave))[-1])
    step = float(plan.dt[plan.kind[-1]])
    times = plan.times(len(plan.kind) + int(np.ceil(after / step)))
    calm, most = (int(np.searchsorted(times, lasts + x)) for x in (_CALM, after))
    return Lanes.of(
        of,
        rest,
        plan,
        calm=calm,
        most=most,
        counted=counted,
        level=level,
        temperature=temperature,
    )


def _search(
    lanes: Lanes,
    rises: NDArray[Any],
    guess: Floats,
    reach: float,
    tolerance: float,
    threshold: Floats,
    site: NDArray[np.int32],
) -> None:
    """Bracket each threshold from its guess, then bisect in its logarithm; no lane waits."""
    jobs = [(p, k) for k in range(len(rises)) for p in (0, 1) if guess[p, k] > 0]
    jobs.reverse()
    searches: list[_Bracket | None] = [None] * LANES
    for lane in range(LANES):
        searches[lane] = _next(lanes, lane, jobs, rises, guess, reach)
    while any(s is not None for s in searches):
        lanes.advance(lanes.most)
        for lane in np.flatnonzero(lanes.verdict).tolist():
            search = searches[lane]
            assert search is not None
            search.learn(bool(lanes.verdict[lane] > 0), int(lanes.site[lane]))
            amplitude = search.amplitude(tolerance)
            if amplitude > 0:
                lanes.restart(lane, amplitude)
                continue
            threshold[search.job] = search.middle
            site[search.job] = search.site
            searches[lane] = _next(lanes, lane, jobs, rises, guess, reach)


def _next(
    lanes: Lanes,
    lane: int,
    jobs: list[tuple[int, int]],
    rises: NDArray[Any],
    guess: Floats,
    reach: float,
) -> _Bracket | None:
    """Begin the next search in a lane, or leave it idle."""
    if not jobs:
        lanes.restart(lane, 0.0)
        return None
    job = jobs.pop()
    lanes.load(lane, rises[job[1]], -1.0 if job[0] else 1.0)
    lanes.restart(lane, float(guess[job]))
    return _Bracket(job, float(guess[job]), reach)


class _Bracket:
    """What is known of one threshold."""

    __slots__ = ("growth", "high", "job", "largest", "low", "site", "tried")

    def __init__(self, job: tuple[int, int], guess: float, reach: float) -> None:
        self.job = job
        self.tried, self.largest = guess, reach * guess
        self.low, self.high = 0.0, np.inf
        self.growth = _WIDEN
        self.site = -1

    def learn(self, fired: bool, site: int) -> None:
        """Take in the outcome at the amplitude tried last."""
        if fired:
            self.high, self.site = self.tried, site
        else:
            self.low = self.tried

    def amplitude(self, tolerance: float) -> float:
        """Return the amplitude to try next; 0 when the search is over."""
        if self.high <= self.low * (1 + tolerance) or self.low >= self.largest:
            return 0.0
        if self.low == 0:
            self.tried = self.high / self.growth
        elif self.high == np.inf:
            self.tried = min(self.low * self.growth, self.largest)
        else:
            self.tried = float(np.sqrt(self.low * self.high))
        self.growth = min(self.growth**2, 2.0)
        return self.tried

    @property
    def middle(self) -> float:
        """Threshold found (inf for none)."""
        return float(np.sqrt(self.low * self.high)) if self.high < np.inf else np.inf
