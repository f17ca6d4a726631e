"""Threshold pressures of point neurons under ultrasound against the reference implementation.

PySONIC reads its tables linearly between 51 amplitudes 19 % apart. On those amplitudes its
thresholds must come out; on the default, refined table those of rows computed at the very pressure.
The default table against the log is told too: where the threshold lies on the front of the table,
the reference's amplitudes shift it by 5 to 7 %, which both tables together show.
"""

from __future__ import annotations

from dataclasses import replace

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
_NEAR = (0.983, 1.011)  # bracket of a bisection, of the threshold in question


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
    fine = effective_table(cell, frequency=FREQUENCY, radius=RADIUS)
    like, own, plain = [], [], []
    for duty, want in log.items():
        name = f"threshold, {cell}, duty cycle {duty:.0%}"
        theirs = threshold_pressure(coarse, train(duty))
        text = f"{name}, table of the reference's amplitudes, read linearly"
        like.append(_row(case, text, theirs, want, abs(theirs / want - 1), 0.01, _SOURCE))
        got = threshold_pressure(fine, train(duty))
        exact = _by_own_rows(fine, got, duty)
        text = f"{name}, default table against a row at each pressure tried"
        error = abs(got / exact - 1)
        own.append(_row(case, text, got, exact, error, 0.005, "rows of their own, bisected"))
        shift = got / theirs
        text = (
            f"{name}, default table against the log: {got / want - 1:+.1%}, of which "
            f"{shift - 1:+.1%} are the amplitudes of the reference's table, 19 % apart; the rest"
        )
        plain.append(_row(case, text, got, want, abs(got / want / shift - 1), 0.05, _SOURCE))
    return like + own + plain


def _by_own_rows(table: EffectiveTable, about: float, duty: float) -> float:
    """Return the threshold by rows computed at each pressure tried, bisected to 0.1 %."""
    cell = sonic_cell(table.cell)

    def fires(pressure: float) -> bool:
        A = np.array([0.0, pressure])
        averages = cycle_averages(
            cell, frequency=FREQUENCY, radius=RADIUS, amplitudes=A, charges=table.charges
        )
        at = replace(table, amplitudes=A, averages=averages)
        return len(respond(at, train(duty), pressure, most=1).spikes) > 0

    low, high = _NEAR[0] * about, _NEAR[1] * about
    if fires(low) or not fires(high):
        return float("nan")
    while high - low > 1e-3 * high:
        middle = 0.5 * (low + high)
        low, high = (low, middle) if fires(middle) else (middle, high)
    return high


def _row(
    case: str, text: str, got: float, want: float, error: float, limit: float, source: str
) -> Row:
    return Row(
        case=case,
        quantity=text,
        value=got,
        reference=want,
        error=error,
        limit=limit,
        unit="Pa",
        source=source,
    )
