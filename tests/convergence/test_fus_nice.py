"""The effective equations against the full ones, and the default table against finer ones."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log, pi, sin

import numpy as np
import pytest

from rheobase.fields.acoustics.sonication import Sonication
from rheobase.neurons.morphology import Floats
from rheobase.neurons.sonic import (
    effective_table,
    respond,
    sonic_cell,
    sonophore_of,
    threshold_pressure,
)
from rheobase.neurons.sonic.averages import cycle_averages
from rheobase.neurons.sonic.lookup import EffectiveTable
from rheobase.neurons.sonic.response import _kernel_tables
from rheobase.validation.case import Row
from rheobase.validation.sonic import low_threshold, regular_spiking


def _full(start: Floats, amplitude: float, times: Floats) -> Floats:
    """Integrate mechanics and membrane of the regular-spiking cell together: Q (C/m²), by SciPy.

    The equations of Plaksin et al. 2014 written anew, one state after the other; ``start`` is Q in
    1e-5 C/m², m, h, n, p.
    """
    from scipy.integrate import solve_ivp

    sonophore = sonophore_of(sonic_cell("RS"), 32e-9)
    a, D = sonophore.radius, sonophore.gap
    x, C, m_, n_ = sonophore.fit
    RT, w = 8.314462618 * 309.15, 2 * pi * 500e3

    def linear(y: float, k: float) -> float:
        return k if abs(y) < 1e-7 else y / (1 - exp(-y / k))

    def slope(t: float, y: Floats) -> list[float]:
        U, Z, ng = y[0], y[1] * 1e-9, y[2] * 1e-22
        Q, m, h, n, p = y[3] * 1e-5, *y[4:]
        bend = 2 * Z / (a * a + Z * Z)
        volume = pi * a * a * D * (1 + Z / (3 * D) * (3 + (Z / a) ** 2))
        gas = ng * RT / volume
        q = x / (2 * Z + D)
        P = C * (q**m_ - q**n_) + gas - 1e5 + amplitude * sin(w * t)
        P -= 0.24 * (Z / a) ** 2 * bend + 12 * U * 2e-9 * 0.035 * bend**2
        P -= 4 * U * 7e-4 * abs(bend)
        P -= a * a / (a * a + Z * Z) * Q * Q / (2 * 8.8541878e-12)
        flux = 2 * pi * (a * a + Z * Z) * 3.68e-9 / 0.5e-9 * (0.62 - gas / 1.613e5)
        if abs(Z) < 1e-15:
            cap = 1e-2
        else:
            cap = 1e-2 * D / a**2
            cap *= Z + (a * a - Z * Z - Z * D) / (2 * Z) * log((2 * Z + D) / D)
        V = 1e3 * Q / cap
        v = V + 56.2
        am, bm = 0.32 * linear(v - 13, 4), 0.28 * linear(40 - v, 5)
        ah, bh = 0.128 * exp((17 - v) / 18), 4 / (1 + exp((40 - v) / 5))
        an, bn = 0.032 * linear(v - 15, 5), 0.5 * exp((10 - v) / 40)
        tau = 608 / (3.3 * exp((V + 35) / 20) + exp(-(V + 35) / 20))
        flow = 560 * m**3 * h * (V - 50) + 60 * n**4 * (V + 90)
        flow += 0.75 * p * (V + 90) + 0.205 * (V + 70.3)
        return [
            P * abs(bend) / 1075 - 1.5 * U * U * bend,
            U * 1e9,
            flux * 1e22,
            -flow * 1e-3 * 1e5,
            1e3 * (am * (1 - m) - bm * m),
            1e3 * (ah * (1 - h) - bh * h),
            1e3 * (an * (1 - n) - bn * n),
            1e3 * (1 / (1 + exp(-(V + 35) / 10)) - p) / tau,
        ]

    y0 = np.concatenate([[0.0, 0.1, 1e5 * pi * a * a * D / RT * 1e22], start])
    found = solve_ivp(
        slope, (0, times[-1]), y0, "LSODA", times, rtol=1e-5, atol=1e-6, max_step=2e-7
    )
    out: Floats = found.y[3] * 1e-5
    return out


@pytest.mark.slow
def test_the_effective_equations_are_those_of_the_full_model() -> None:
    """A spike's upstroke under 60 kPa: charge to 0.5 nC/cm² of a rise by more than 30."""
    from rheobase.neurons.sonic._charge_numba import run

    cell = sonic_cell("RS")
    table = effective_table("RS", frequency=500e3, amplitudes=[0.0, 60e3])
    gates = cell.steady(-0.055)
    gates[1] = 0.7
    dts = np.array([1e-6, 1e-6])
    axes, tables = _kernel_tables(table, 60e3, dts)
    trace = np.empty((14, 2))
    run(
        0.0, *tables, *axes, cell.conductance, cell.reversal, cell.power, np.array([350]), dts,
        np.array([0]), 3e-5, 20e-5, 5, -25e-5, gates.copy(), np.empty(5), trace, 25,
    )  # fmt: skip
    Q = _full(np.concatenate([[-25.0], gates]), 60e3, trace[:, 0])
    assert np.ptp(Q) > 30e-5
    assert np.abs(trace[:, 1] - Q).max() < 0.5e-5


@pytest.mark.slow
@pytest.mark.parametrize("name", ["RS", "LTS"])
def test_thresholds_do_not_depend_on_the_grid_of_the_table(name: str) -> None:
    """Rows at the very pressure, of twice the charges, give the default threshold to 0.3 %."""
    burst = Sonication(frequency=500e3, pulse_duration=1.0)
    table = effective_table(name, frequency=500e3)
    found = threshold_pressure(table, burst, tolerance=2e-4)
    cell = sonic_cell(name)
    tried = found * np.linspace(0.997, 1.003, 5)
    A = np.array([0.0, *tried])
    finer = np.linspace(table.charges[0], table.charges[-1], 2 * len(table.charges) - 1)
    averages = cycle_averages(
        cell, frequency=500e3, radius=32e-9, amplitudes=A, charges=finer, tolerance=2e-5
    )
    exact = EffectiveTable(
        cell=name, frequency=500e3, radius=32e-9, amplitudes=A, charges=finer, averages=averages
    )
    fires = [len(respond(exact, burst, a, most=1).spikes) > 0 for a in tried.tolist()]
    assert not fires[0]
    assert fires[-1]
    assert fires == sorted(fires)


@pytest.mark.slow
@pytest.mark.parametrize("case", [regular_spiking, low_threshold])
def test_thresholds_are_those_of_the_reference(case: Callable[[], list[Row]]) -> None:
    """Within 1 % on the reference's own table, within 0.5 % of rows without a table."""
    for row in case():
        assert row.passed, row
