"""Order of the cable in space and time, and the closed-form cases."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from rheobase.neurons.cable import polarisation
from rheobase.neurons.constants import cell_constants
from rheobase.neurons.fibres import bare_fibre
from rheobase.neurons.sample import PointSource, UniformField, rises_along
from rheobase.validation.cable import activating_function, cable_closed_form

pytestmark = pytest.mark.convergence

c = cell_constants()
D = 1e-6
LAMBDA = math.sqrt(D / (4 * c["axial_resistivity"] * c["membrane_conductance"]))
TAU = c["membrane_capacitance"] / c["membrane_conductance"]


@pytest.mark.parametrize("case", [cable_closed_form, activating_function])
def test_closed_forms(case) -> None:  # type: ignore[no-untyped-def]
    for row in case():
        assert row.passed, row


def order(steps: list[float], errors: list[float]) -> float:
    return float(np.polyfit(np.log(steps), np.log(errors), 1)[0])


def test_second_order_in_space() -> None:
    errors, counts = [], [16, 32, 64, 128]
    for n in counts:
        fibre = bare_fibre(2 * LAMBDA, D, n)
        v = polarisation(fibre, rises_along(fibre, UniformField(E=[1.0, 0, 0])), [1.0])[0]
        exact = LAMBDA * np.sinh(fibre.centre[:, 0] / LAMBDA) / math.cosh(1.0)
        errors.append(float(np.abs(v - exact).max() / np.abs(exact).max()))
    assert order([1 / n for n in counts], errors) == pytest.approx(2.0, abs=0.1)
    assert errors[-1] < 1e-4


def test_second_order_of_the_activating_function() -> None:
    """Rises of a point source by the trapezoidal rule, against its potential."""
    source = PointSource(position=[0, 0, 0.3e-3], conductivity=0.3)
    no_potential = SimpleNamespace(at=source.at)
    errors, counts = [], [101, 201, 401]
    for n in counts:
        fibre = bare_fibre(2e-3, D, n)
        V = np.cumsum(rises_along(fibre, no_potential)) + source.potential(fibre.centre[:1])
        exact = source.potential(fibre.centre)
        errors.append(float(np.abs(V - exact).max() / exact.max()))
    assert order([1 / n for n in counts], errors) == pytest.approx(2.0, abs=0.15)
    assert errors[-1] < 1e-4


def test_first_order_in_time() -> None:
    from scipy.special import erf

    fibre = bare_fibre(16 * LAMBDA, D, 6400)
    rise = rises_along(fibre, UniformField(E=[1.0, 0, 0]))
    T = 0.5
    errors, counts = [], [8, 16, 32, 64]
    end = 0.5 * fibre.length[0]  # the last unknown sits half a compartment inside, slope 1 V/m
    exact = LAMBDA * float(erf(math.sqrt(T))) - end
    for n in counts:
        v = polarisation(fibre, rise, np.ones(n), dt=T * TAU / n)[-1, -1]
        errors.append(abs(v - exact) / exact)
    assert order([1 / n for n in counts], errors) == pytest.approx(1.0, abs=0.1)
    assert errors[-1] < 5e-3
