"""The membrane potential of one cell over time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rheobase._errors import InputError, check_positive
from rheobase.neurons.cable import injected
from rheobase.neurons.fibres.mrg_stimulus import Plan, plan_of, stimulus_samples
from rheobase.neurons.generate import Cell
from rheobase.neurons.membrane.channels import TEMPERATURE
from rheobase.neurons.membrane.circuit import Circuit, circuit
from rheobase.neurons.morphology import Floats, Morphology
from rheobase.neurons.spiking.lanes import Lanes
from rheobase.neurons.spiking.rest import resting_state

STEP, PARTS = 20e-6, 15  # longest step during the stimulus (s), steps in its shortest phase
LATER, LEAST = 2.0, 20e-6  # steps after the stimulus over those during it, and at least (s)
GROWTH = 1.15  # of the steps after a jump: at every scale of time the same share of what has passed

_STRONG = 0.2  # of the peak: a phase that reaches it sets the step


def steps_of(waveform: Any, dt: float | None) -> Plan:
    """Return the steps of a stimulus; None chooses them by its shortest phase.

    Raises
    ------
    InputError
        If the waveform is none, or a step is not > 0 s.
    """
    courses = len(stimulus_samples(waveform)[1])
    if courses != 1:
        raise InputError(f"expected one waveform for the whole cell, got {courses}")
    if dt is not None:
        return plan_of(waveform, dt, LATER * dt, growth=GROWTH)
    dt = min(STEP, _shortest_phase(waveform) / PARTS)
    return plan_of(waveform, dt, max(LATER * dt, LEAST), growth=GROWTH)


def _shortest_phase(waveform: Any) -> float:
    """Return the least ∫|w| dt / max|w| among the strong phases of one sign (s)."""
    t, w = stimulus_samples(waveform)
    middle = 0.5 * (w[0, 1:] + w[0, :-1])
    phase = np.concatenate([[0], np.cumsum(np.diff(np.sign(middle)) != 0)])
    area = np.bincount(phase, np.abs(middle) * np.diff(t))
    peak = np.zeros(len(area))
    np.maximum.at(peak, phase, np.maximum(np.abs(w[0, 1:]), np.abs(w[0, :-1])))
    strong = (peak >= _STRONG * peak.max()) & (area > 0)
    if not strong.any():
        raise InputError("a waveform must be finite and not 0 throughout")
    return float((area[strong] / peak[strong]).min())


def simulate_cell(
    cell: Cell | Morphology,
    rise: ArrayLike,
    waveform: Any,
    amplitude: float,
    duration: float,
    *,
    name: str | None = None,
    dt: float | None = None,
    record: ArrayLike | None = None,
    temperature: float = TEMPERATURE,
) -> tuple[Floats, Floats]:
    """Return the membrane potential of a stimulated cell over time.

    Parameters
    ----------
    cell
        A cell, or its compartments.
    rise
        Rise of the outside potential from the parent (V per unit amplitude), shape (n,).
    waveform
        Width of a rectangular pulse (s), or samples ``t`` (s) and ``w`` (1).
    amplitude
        Of the stimulus.
    duration
        To be run (s).
    name
        Membrane; a cell brings its own.
    dt
        Longest step during the stimulus (s), see `steps_of`; `LATER` times that after it, or
        `LEAST`.
    record
        Compartments looked at; all when left out.
    temperature
        Of the channels (°C).

    Returns
    -------
    t
        End of each step (s), shape (steps,).
    v
        Membrane potential (V), shape (steps, len(record)).

    Raises
    ------
    InputError
        If shapes do not fit or the waveform is none.
    """
    shape = cell.morphology if isinstance(cell, Cell) else cell
    up = np.array(rise, dtype=np.float64)
    if up.shape != (len(shape),):
        raise InputError(f"rise must have shape ({len(shape)},), got {up.shape}")
    return simulate(
        circuit(cell, name),
        injected(shape, up),
        waveform,
        amplitude,
        duration,
        dt=dt,
        record=record,
        temperature=temperature,
    )


def simulate(
    of: Circuit,
    current: ArrayLike,
    waveform: Any,
    amplitude: float,
    duration: float,
    *,
    rest: ArrayLike | None = None,
    dt: float | None = None,
    record: ArrayLike | None = None,
    temperature: float = TEMPERATURE,
) -> tuple[Floats, Floats]:
    """Return the membrane potential over time while currents flow into the compartments.

    Parameters
    ----------
    of
        The cell.
    current
        Into each compartment (A per unit amplitude), shape (n,).
    rest
        Potential to begin with (V), shape (n,), gates at their steady state; `resting_state` when
        left out.
    waveform, amplitude, duration, dt, record, temperature
        As in `simulate_cell`.

    Returns
    -------
    t, v
        As from `simulate_cell`.

    Raises
    ------
    InputError
        If shapes do not fit or the waveform is none.
    """
    check_positive("duration", duration)
    n = len(of)
    into = np.array(current, dtype=np.float64)
    if into.shape != (n,):
        raise InputError(f"currents must have shape ({n},), got {into.shape}")
    seen = np.arange(n) if record is None else np.atleast_1d(np.asarray(record, dtype=np.int64))
    if seen.size and not (0 <= seen.min() <= seen.max() < n):
        raise InputError(f"recorded compartments must be 0 to {n - 1}, got {seen.tolist()}")
    if rest is None:
        start = resting_state(of, temperature=temperature)
    else:
        start = np.broadcast_to(np.asarray(rest, dtype=np.float64), (n,))
    plan = steps_of(waveform, dt)
    most = len(plan.kind) + int(np.ceil(duration / plan.dt[plan.kind[-1]]))
    t = plan.times(most)
    count = int(np.searchsorted(t, duration)) + 1
    lanes = Lanes.of(of, start, plan, calm=most, most=most + 1, temperature=temperature)
    lanes.source[:, 0] = into
    lanes.restart(0, amplitude)
    trace = np.empty((count, len(seen)))
    lanes.advance(count, seen, trace, needed=n + 1)
    return t[:count], trace
