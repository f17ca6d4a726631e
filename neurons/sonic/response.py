"""Spikes of a cell in one train of ultrasound pulses, and the least pressure that fires it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.acoustics.sonication import Sonication
from rheobase.neurons.morphology import Floats
from rheobase.neurons.sonic.cells import sonic_cell
from rheobase.neurons.sonic.lookup import EffectiveTable, effective_table

STEP = 25e-6  # s
PEAK = 3e-5  # C/m², least charge at the top of a spike
PROMINENCE = 20e-5  # C/m², least rise to it and fall from it
_FINE = 10  # points of the kernel's table in a step of charge
_LOWEST, _RATIO = 2e3, 1.25  # of the pressures tried for a threshold (Pa)
_MOST = 20_000  # spikes kept


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Response:
    """What a cell does in a train.

    Parameters
    ----------
    spikes
        Times of the spikes after the start of the train (s), shape (n,).
    train
        Duration of the train (s).
    time, charge
        Course of the charge density (C/m²) if it was asked for, else empty, shape (m,) each.
    """

    spikes: Floats
    train: float
    time: Floats
    charge: Floats

    @property
    def latency(self) -> float:
        """Time of the first spike (s), inf if there is none."""
        return float(self.spikes[0]) if len(self.spikes) else inf

    @property
    def rate(self) -> float:
        """Spikes in the train over its duration (1/s)."""
        return float(np.count_nonzero(self.spikes <= self.train) / self.train)


def respond(
    table: EffectiveTable,
    sonication: Sonication,
    amplitude: float,
    *,
    current: float = 0.0,
    after: float = 0.0,
    step: float = STEP,
    course: float | None = None,
    most: int = _MOST,
) -> Response:
    """Return the spikes of a cell, from rest, in one train of pulses.

    Parameters
    ----------
    table
        Of the cell at the frequency of the sonication.
    sonication
        Its pulses are rectangular here: ramps are left out. One train is computed.
    amplitude
        Peak pressure at the cell (Pa).
    current
        Current injected from the start to the end of the train and after (A/m²).
    after
        Time computed after the train (s).
    step
        Longest step (s).
    course
        Time between samples of the charge (s), none if None.
    most
        Number of spikes after which the computation stops.

    Raises
    ------
    InputError
        If the table is of another frequency, the amplitude outside it, or a time negative.

    Notes
    -----
    A spike is a maximum of the charge of at least 3 nC/cm² that stands out by 20 nC/cm² on either
    side, as PySONIC counts them.
    """
    from rheobase.neurons.sonic._charge_numba import run

    if abs(sonication.frequency / table.frequency - 1) > 1e-9:
        raise InputError(
            f"the table of {table.cell} is for {table.frequency:g} Hz, got a sonication of "
            f"{sonication.frequency:g} Hz"
        )
    if not (step > 0 and after >= 0 and (course is None or course > 0)):
        raise InputError(
            f"step and course must be > 0 s and after >= 0 s: response of {table.cell}"
        )
    cell = sonic_cell(table.cell)
    pulse, interval, train, _, _ = sonication.times
    pause = interval - pulse
    steps_on = ceil(pulse / step - 1e-6)
    dts = np.array([pulse / steps_on, step])
    if pause > 1e-9 * interval:
        dts[1] = pause / ceil(pause / step - 1e-6)
    length, state = _schedule(sonication, dts, after)
    axes, tables = _kernel_tables(table, amplitude, dts)
    total = int(length.sum())
    every = total + 1 if course is None else max(1, round(course / dts.min()))
    trace = np.full((total // every, 2), np.nan)
    spikes = np.empty(min(most, _MOST))
    count, _ = run(
        current,
        *tables,
        *axes,
        cell.conductance,
        cell.reversal,
        cell.power,
        length,
        dts,
        state,
        PEAK,
        PROMINENCE,
        len(spikes),
        cell.rest_charge,
        cell.steady(cell.rest),
        spikes,
        trace,
        every,
    )
    return Response(spikes=spikes[:count], train=train, time=trace[:, 0], charge=trace[:, 1])


def threshold_pressure(
    cell: str | EffectiveTable,
    sonication: Sonication,
    *,
    radius: float = 32e-9,
    after: float = 0.0,
    tolerance: float = 1e-3,
) -> float:
    """Return the least peak pressure (Pa) at which a cell fires once in a train, inf if none does.

    Pressures are tried from 2 kPa upwards, a quarter more each time, to the top of the table; the
    first one that fires and the one before it bracket the threshold, which is then bisected. What
    fires at the threshold may be silent at higher pressures (depolarisation block).

    Parameters
    ----------
    cell
        Name of a point neuron, or its table.
    sonication, after
        As in `respond`.
    radius
        Of the sonophore (m), where a name is given.
    tolerance
        Relative width of the final bracket, whose upper end is returned.

    Raises
    ------
    InputError
        If the cell is unknown or the tolerance not within 0 to 1.
    """
    if not 0 < tolerance < 1:
        raise InputError(f"tolerance must be within 0 to 1, got {tolerance!r}: threshold pressure")
    table = cell
    if isinstance(table, str):
        table = effective_table(table, frequency=sonication.frequency, radius=radius)

    def fires(amplitude: float) -> bool:
        return len(respond(table, sonication, amplitude, after=after, most=1).spikes) > 0

    low, top = 0.0, float(table.amplitudes[-1])
    high = min(_LOWEST, top)
    while not fires(high):
        if high == top:
            return inf
        low, high = high, min(_RATIO * high, top)
    while high - low > tolerance * high:
        middle = 0.5 * (low + high)
        low, high = (low, middle) if fires(middle) else (middle, high)
    return float(high)


def _schedule(
    sonication: Sonication, dts: Floats, after: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return steps and state (0 on, 1 off) of the intervals of a train and the time after it."""
    pulse, interval, train, _, _ = sonication.times
    n = sonication.pulses_in_train
    on = round(pulse / dts[0])
    rest = max(train - (n - 1) * interval - pulse, 0.0) + after
    pauses = np.full(n, round((interval - pulse) / dts[1]))
    pauses[-1] = round(rest / dts[1])
    length = np.stack([np.full(n, on), pauses], axis=1).ravel()
    state = np.tile([0, 1], n)
    return length[length > 0], state[length > 0]


def _kernel_tables(table: EffectiveTable, amplitude: float, dts: Floats) -> Any:
    """Return (first charge, spacing) and potential, slope, steady, left of both states."""
    Q = table.charges
    fine = np.linspace(Q[0], Q[-1], _FINE * (len(Q) - 1) + 1)
    potential, slope, steady, left = [], [], [], []
    for at, dt in zip((amplitude, 0.0), dts, strict=True):
        V, up, down = table.at(at, fine)
        potential.append(V)
        slope.append(np.gradient(V, fine))
        steady.append(up / (up + down))
        left.append(np.exp(-0.5 * dt * (up + down)))
    return (fine[0], fine[1] - fine[0]), tuple(
        np.stack(x) for x in (potential, slope, steady, left)
    )
