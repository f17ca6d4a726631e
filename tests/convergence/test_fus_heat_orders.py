"""Orders of the heat equation in space and time."""

from __future__ import annotations

from math import exp, pi

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase.fields.heat.bioheat import Bioheat
from rheobase.fields.heat.phases import Phase
from rheobase.fields.heat.properties import Thermal
from rheobase.validation.heat import block, gaussian, project

Floats = NDArray[np.float64]
LENGTH, Q, END = 0.02, 1e6, 40.0
BRAIN = Thermal(heat_capacity=3.8e6, conductivity=0.6, cooling=4e4)


def model(edge: float) -> tuple[Bioheat, Floats, Floats]:
    """Return a block, its load of Q (1 + cos cos cos) and the exact rise after `END`."""
    mesh = block(LENGTH, edge)

    def waves(x: Floats) -> Floats:
        product: Floats = np.cos(pi * x / LENGTH).prod(axis=1)
        return product

    load = project(mesh, lambda x: Q * (1 + waves(x)))
    loss = BRAIN.cooling + 3 * BRAIN.conductivity * (pi / LENGTH) ** 2
    mean, wave = (
        Q / rate * (1 - exp(-END * rate / BRAIN.heat_capacity)) for rate in (BRAIN.cooling, loss)
    )
    return Bioheat(mesh, {1: BRAIN}), load, mean + wave * waves(mesh.nodes)


def test_second_order_in_space() -> None:
    edges, errors = [4e-3, 2.8e-3, 2e-3], []
    for edge in edges:
        heat, load, exact = model(edge)
        on = [Phase(start=0, end=END, power=1.0)]
        found = heat.heat(load, on, step=0.5, cooling=0).final_rise
        errors.append(float(np.sqrt(((found - exact) ** 2).mean())) / np.ptp(exact))
    order = np.polyfit(np.log(edges), np.log(errors), 1)[0]
    assert order > 1.8, errors
    assert errors[-1] < 2e-3


def test_second_order_in_time_across_switches() -> None:
    heat, load, _ = model(4e-3)
    trains = [Phase(start=0, end=10, power=1.0), Phase(start=20, end=30, power=0.7)]
    probes = [[0.001, 0.002, 0.001]]

    def rise(step: float) -> float:
        return float(
            heat.heat(load, trains, step=step, cooling=10, probes=probes).probe_rise[-1, 0]
        )

    exact = rise(0.1)
    steps = [5.0, 2.5, 1.25]
    errors = [abs(rise(step) - exact) for step in steps]
    order = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert order == pytest.approx(2, abs=0.25), errors


def test_kernel_converges() -> None:
    coarse, fine = ({r.quantity.split(" (")[0]: r.error for r in gaussian(n)} for n in (5, 10))
    for what in ("rise after 5 s, relative L2", "rise in the middle after 1 s"):
        assert fine[what] < 0.4 * coarse[what]
    assert fine["rise after 5 s, relative L2"] < 2e-3


@pytest.mark.slow
def test_kernel_to_a_thousandth() -> None:
    for row in gaussian():
        assert row.passed, row
