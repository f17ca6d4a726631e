"""Orders of convergence of the axisymmetric solver, and its convergence through curved bone."""

from __future__ import annotations

import numpy as np
import pytest

from rheobase.fields.acoustics.axisymmetric.solve import solve_axisymmetric
from rheobase.fields.acoustics.axisymmetric.source import bowl
from rheobase.fields.acoustics.media import Fluid, LayeredMedium, SphereCap
from rheobase.validation.acoustic_closed_forms import bowl_on_axis

pytestmark = pytest.mark.convergence

WATER = Fluid(name="water", sound_speed=1500.0, density=1000.0)
BONE = Fluid.from_decibels("bone", 2800.0, 1850.0, 4.0, frequency=500e3)
F = 250e3
SOURCE = bowl(radius=40e-3, aperture=32e-3, velocity=0.04)
Z = np.linspace(8e-3, 45e-3, 75)
EXACT = bowl_on_axis(Z, radius=40e-3, aperture=32e-3, pressure=60e3, k=2 * np.pi * F / 1500.0)


def error(order: int, per_wavelength: float) -> float:
    """Return the largest error on the axis over the peak."""
    solved = solve_axisymmetric(
        LayeredMedium((WATER,)),
        SOURCE,
        F,
        depth=(0.0, 45e-3),
        radius=18e-3,
        order=order,
        per_wavelength=per_wavelength,
    )
    return float(np.abs(solved.on_axis(Z) - EXACT).max() / np.abs(EXACT).max())


@pytest.mark.parametrize(
    ("order", "points", "least"),
    [(2, (14, 20, 28), 3.4), (4, (8, 11, 15), 4.9), (6, (9, 11, 14), 6.4)],
)
def test_error_falls_with_the_size_of_elements(
    order: int, points: tuple[float, ...], least: float
) -> None:
    """Of degree between N + 1 (interpolation) and 2 N (phase)."""
    errors = [error(order, p) for p in points]
    observed = -np.polyfit(np.log(points), np.log(errors), 1)[0]
    assert least < observed < 2 * order + 0.5
    assert errors[-1] < 2e-3


def test_error_falls_with_the_order() -> None:
    """At elements of one wavelength each order takes off the same factor."""
    orders = (6, 7, 8, 9, 10)
    errors = [error(n, float(n)) for n in orders]
    factor = np.exp(np.polyfit(orders, np.log(errors), 1)[0])
    assert factor < 0.2
    assert errors[-1] < 1e-5


def test_curved_bone_converges_in_size_and_order() -> None:
    medium = LayeredMedium((WATER, BONE, WATER), (SphereCap(30e-3, 42e-3), SphereCap(25e-3, 42e-3)))
    r, z = np.linspace(0.0, 18e-3, 19)[:, None], np.linspace(8e-3, 45e-3, 75)
    fields = [
        solve_axisymmetric(
            medium,
            SOURCE,
            F,
            depth=(0.0, 45e-3),
            radius=18e-3,
            order=order,
            per_wavelength=points,
        ).sample(r, z)
        for order, points in ((12, 16.0), (10, 8.0), (6, 14.0))
    ]
    peak = np.abs(fields[0]).max()
    assert np.abs(fields[1] - fields[0]).max() < 1e-4 * peak
    assert np.abs(fields[2] - fields[0]).max() < 1e-4 * peak
