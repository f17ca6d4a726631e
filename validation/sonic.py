"""Threshold pressures of point neurons under ultrasound against the reference implementation.

PySONIC reads its tables linearly between 51 amplitudes 19 % apart. On those amplitudes its
thresholds must come out; on the default, refined table those of rows computed at the very pressure.
"""

from __future__ import annotations

import numpy as np

from rheobase.fields.acoustics.sonication import Sonication
from rheobase.neurons.morphology import Floats
from rheobase.neurons.sonic import (
    EffectiveTable,
    effective_table,
    respond,
    sonic_cell,
    threshold_pressure,
)
from rheobase.neurons.sonic.averages import cycle_averages
from rheobase.validation.case import Row

FREQUENCY, RADIUS = 500e3, 32e-9
LOG = {  # Pa, by duty cycle; 1 s, pulses at 100 Hz, full coverage
    "RS": {1.0: 31.484e3, 0.5: 44.604e3, 0.2: 185.229e3},
    "LTS": {1.0: 21.021e3, 0.5: 22.778e3, 0.2: 25.195e3, 0.05: 34.131e3},
}
_SOURCE = "PySONIC, commit 7a40903, astim_titrations.log (bisected to 0.1 kPa)"
_LOWEST = 1.5e3  # Pa; amplitudes of the reference below do not matter for these thresholds
_NEAR = np.linspace(0.99, 1.01, 9)  # pressures with rows of their own, of the threshold


def regular_spiking() -> list[Row]:
    """Return the rows of case ``sonic-rs``."""
    return _rows("sonic-rs", "RS")


def low_threshold() -> list[Row]:
    """Return the rows of case ``sonic-lts``."""
    return _rows("sonic-lts", "LTS")


def reference_amplitudes(highest: float) -> Floats:
    """Return the amplitudes of PySONIC's tables (Pa) from 1.5 kPa to the first over ``highest``."""
    A = np.geomspace(100.0, 600e3, 50)
    first, last = np.searchsorted(A, [_LOWEST, highest])
    return np.concatenate([[0.0], A[first : last + 1]])


def train(duty: float) -> Sonication:
    """Return the sonication of the log with a duty cycle."""
    return Sonication.at_rate(FREQUENCY, pulse_rate=100, duty_cycle=duty, train_duration=1.0)


def _rows(case: str, cell: str) -> list[Row]:
    log = LOG[cell]
    coarse = effective_table(
        cell,
        frequency=FREQUENCY,
        radius=RADIUS,
        amplitudes=reference_amplitudes(max(log.values())),
        smooth=False,
    )
    rows = []
    for duty, want in log.items():
        got = threshold_pressure(coarse, train(duty))
        text = f"{cell}, duty cycle {duty:.0%}, table of the reference's amplitudes, read linearly"
        rows.append(_row(case, text, got, want, 0.01, _SOURCE))
    fine = effective_table(cell, frequency=FREQUENCY, radius=RADIUS)
    for duty in log:
        got = threshold_pressure(fine, train(duty))
        text = f"{cell}, duty cycle {duty:.0%}, default table"
        want = _by_own_rows(cell, got, duty)
        rows.append(_row(case, text, got, want, 0.005, "rows computed at the pressures tried"))
    return rows


def _by_own_rows(cell: str, about: float, duty: float) -> float:
    """Return the least of nine pressures, 0.25 % apart, that fires; no table between them."""
    A = np.concatenate([[0.0], about * _NEAR])
    charges = effective_table(cell, frequency=FREQUENCY, radius=RADIUS).charges
    averages = cycle_averages(
        sonic_cell(cell), frequency=FREQUENCY, radius=RADIUS, amplitudes=A, charges=charges
    )
    table = EffectiveTable(
        cell=cell,
        frequency=FREQUENCY,
        radius=RADIUS,
        amplitudes=A,
        charges=charges,
        averages=averages,
    )
    fires = [len(respond(table, train(duty), a, most=1).spikes) > 0 for a in A[1:].tolist()]
    if fires[0] or not fires[-1]:
        return float("nan")
    return float(A[1 + fires.index(True)])


def _row(case: str, text: str, got: float, want: float, limit: float, source: str) -> Row:
    return Row(
        case=case,
        quantity=f"threshold, {text}",
        value=got,
        reference=want,
        error=abs(got / want - 1),
        limit=limit,
        unit="Pa",
        source=source,
    )
