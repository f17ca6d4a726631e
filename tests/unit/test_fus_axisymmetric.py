"""Sound round about the beam axis: against closed forms, drives, power, bad input."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.fields.acoustics.axisymmetric.pressure import AxialPressure
from rheobase.fields.acoustics.axisymmetric.solve import phase_error, solve_axisymmetric
from rheobase.fields.acoustics.axisymmetric.source import AxialSource, axial_source, bowl, disc
from rheobase.fields.acoustics.grid.gll import lagrange, lagrange_slopes
from rheobase.fields.acoustics.media import (
    Fluid,
    LayeredMedium,
    Plane,
    SampledSurface,
    SphereCap,
)
from rheobase.fields.acoustics.transducers.arrays import element_array
from rheobase.fields.acoustics.transducers.transducer import annular_array
from rheobase.validation.acoustic_closed_forms import bowl_on_axis, disc_on_axis

F = 500e3
WATER = Fluid(name="water", sound_speed=1500.0, density=1000.0)
LOSSY = Fluid.from_decibels("lossy water", 1500.0, 1000.0, 1.0, frequency=F)
BONE = Fluid.from_decibels("bone", 2800.0, 1850.0, 4.0, frequency=F)
OPEN = LayeredMedium((WATER,))
PLATE = LayeredMedium((WATER, BONE, WATER), (Plane(30e-3), Plane(36.5e-3)))
SC1 = bowl(radius=64e-3, aperture=64e-3, velocity=0.04)
SMALL = bowl(radius=30e-3, aperture=24e-3, velocity=0.04)
BOX: dict[str, Any] = {"depth": (0.0, 40e-3), "radius": 15e-3}


@cache
def small(per_wavelength: float = 8.0) -> AxialPressure:
    """Return the pressure of a small bowl in water."""
    return solve_axisymmetric(OPEN, SMALL, F, per_wavelength=per_wavelength, **BOX)


@pytest.mark.parametrize("fluid", [WATER, LOSSY])
def test_bowl_on_axis_is_oneils(fluid: Fluid) -> None:
    solved = solve_axisymmetric(LayeredMedium((fluid,)), SC1, F, depth=(0.0, 0.12), radius=35e-3)
    k = 2 * np.pi * F / fluid.sound_speed - 1j * fluid.loss(F)
    z = np.linspace(9.5e-3, 120e-3, 400)
    exact = bowl_on_axis(
        z, radius=64e-3, aperture=64e-3, pressure=2 * np.pi * F * 1000.0 * 0.04 / k, k=k
    )
    found = solved.on_axis(z)
    assert np.abs(found - exact).max() < 1e-4 * np.abs(exact).max()
    assert np.abs(found).max() == pytest.approx(np.abs(exact).max(), rel=5e-5)
    assert solved.report.points_per_wavelength == 8.0
    assert "unknowns" in str(solved.report)


def test_plate_has_the_exact_layered_peak() -> None:
    solved = solve_axisymmetric(PLATE, SC1, F, depth=(0.0, 0.12), radius=35e-3)
    z = np.linspace(50e-3, 60e-3, 1001)
    amplitude = np.abs(solved.on_axis(z))
    assert amplitude.max() == pytest.approx(420.538e3, rel=1e-4)
    assert z[amplitude.argmax()] == pytest.approx(55.52e-3, abs=0.1e-3)


@pytest.mark.parametrize("vertex", [0.0, 3e-3])
def test_disc_on_axis(vertex: float) -> None:
    """At 3 mm the layers behind the disc are half a wavelength thick: they must not resonate."""
    source = disc(diameter=20e-3, velocity=0.04, vertex=vertex)
    solved = solve_axisymmetric(OPEN, source, F, order=8, per_wavelength=16.0, **BOX)
    assert WATER.wavelength(F) == 3e-3
    z = np.linspace(0.2e-3, 30e-3, 200)
    exact = disc_on_axis(z, radius=10e-3, pressure=60e3, k=2 * np.pi * F / 1500.0)
    assert np.abs(solved.on_axis(vertex + z) - exact).max() < 2e-5 * np.abs(exact).max()


def test_power_is_conserved() -> None:
    medium = LayeredMedium((WATER, BONE, LOSSY), (SphereCap(40e-3, 54e-3), SphereCap(36e-3, 54e-3)))
    solved = solve_axisymmetric(medium, SMALL, F, per_wavelength=14.0, **BOX)
    power = solved.power()
    assert abs(power.defect) < 5e-5
    assert power.absorbed > 0.1 * power.radiated
    assert solved.driven([0.0]).power().defect == 0.0
    twice = solved.driven([0.08j]).power()
    assert twice.radiated == pytest.approx(4 * power.radiated)
    assert twice.defect == pytest.approx(power.defect, abs=1e-9)


def test_rings_add_up_to_the_bowl() -> None:
    edges = [0.0, 10e-3, 18e-3, 24e-3]
    whole = annular_array(inner=edges[:-1], outer=edges[1:], curvature_radius=30e-3, frequency=F)
    rings = axial_source(whole, 0.04)
    assert rings.area.sum() == pytest.approx(SMALL.area[0])
    solved = solve_axisymmetric(OPEN, rings, F, **BOX)
    r, z = np.array([[0.0], [4e-3]]), np.linspace(8e-3, 40e-3, 50)
    scale = np.abs(small().sample(r, z)).max()
    np.testing.assert_allclose(solved.sample(r, z), small().sample(r, z), atol=1e-4 * scale)
    drive = np.array([0.01, 0.02j, -0.03])
    responses = solved.responses(r, z)
    assert responses.shape == (3, 2, 50)
    np.testing.assert_allclose(
        solved.driven(drive).sample(r, z), np.tensordot(drive, responses, 1), rtol=1e-9
    )
    alone = AxialSource(
        rings=rings.rings[1:2], velocity=np.array([0.02j]), radius_of_curvature=30e-3
    )
    one = solve_axisymmetric(OPEN, alone, F, **BOX)
    np.testing.assert_allclose(one.sample(r, z), 0.02j * responses[1], atol=1e-4 * scale)


def test_lattice_and_bounds() -> None:
    solved = small()
    lattice = solved.on_lattice([-3e-3, 3e-3], [0.0, 4e-3], [20e-3])
    assert lattice.shape == (2, 2, 1)
    np.testing.assert_allclose(lattice[0], lattice[1])
    assert lattice[0, 1, 0] == pytest.approx(solved.sample(5e-3, 20e-3))
    with pytest.raises(InputError, match=r"r within 0 … 15 mm .*\(16, 20\) mm"):
        solved.sample(16e-3, 20e-3)
    with pytest.raises(InputError, match="finite velocity for each of 1 rings"):
        solved.driven([1.0, 2.0])


def test_a_sampled_sphere_is_as_good_as_a_sphere() -> None:
    cap = SphereCap(40e-3, 54e-3)
    x = np.linspace(-16e-3, 16e-3, 81)
    sampled = SampledSurface(x, x, cap(x[:, None], x))
    exact, spline = (
        solve_axisymmetric(LayeredMedium((WATER, LOSSY), (s,)), SMALL, F, **BOX)
        for s in (cap, sampled)
    )
    z = np.linspace(5e-3, 40e-3, 50)
    np.testing.assert_allclose(spline.on_axis(z), exact.on_axis(z), rtol=1e-5)


@pytest.mark.parametrize(("order", "per_wavelength"), [(2, 20.0), (4, 12.0), (6, 14.0)])
def test_phase_error_is_that_of_a_row_of_elements(order: int, per_wavelength: float) -> None:
    x, w = np.polynomial.legendre.leggauss(order + 1)
    slopes, values = lagrange_slopes(order, x), lagrange(order, x)
    kh = 2 * np.pi * order / per_wavelength
    matrix = (slopes.T * w) @ slopes * 2 - kh**2 / 2 * (values.T * w) @ values
    ends, inner = [0, order], list(range(1, order))
    seen = matrix[np.ix_(ends, ends)] - matrix[np.ix_(ends, inner)] @ np.linalg.solve(
        matrix[np.ix_(inner, inner)], matrix[np.ix_(inner, ends)]
    )
    numerical = np.arccos(-seen[0, 0] / seen[0, 1])  # Bloch wave through equal elements
    exact = kh if kh < np.pi else 2 * np.pi - kh
    error = abs(numerical - exact) / kh * 2 * np.pi
    assert phase_error(order, per_wavelength, 1.0) == pytest.approx(error, rel=0.25)


def test_too_few_points_a_wavelength_are_refused() -> None:
    with pytest.raises(InputError, match=r"4 points a wavelength are too few at order 8") as told:
        solve_axisymmetric(OPEN, SMALL, F, order=8, per_wavelength=4.0, **BOX)
    needed = float(str(told.value).split("set per_wavelength to ")[1].split()[0])
    assert phase_error(8, needed, 40e-3 / 3e-3) <= 0.1 < phase_error(8, needed - 0.1, 40e-3 / 3e-3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"depth": (1e-3, 40e-3)}, "leaves the depth range 1 … 40 mm"),
        ({"radius": 10e-3}, "12 mm in radius and leaves the domain of 10 mm"),
        ({"radius": -1.0}, "radius of the domain"),
        ({"depth": (40e-3, 0.0)}, "from a smaller to a larger z"),
        ({"order": 1}, "from 2 to 16, got 1"),
        ({"medium": LayeredMedium((WATER, BONE), (Plane(2e-3),))}, "ahead of 'bone', at r = 12 mm"),
        ({"medium": LayeredMedium((WATER, BONE), (SphereCap(14e-3, 24e-3),))}, "does not reach"),
        (
            {"medium": LayeredMedium((WATER, BONE, WATER), (Plane(9e-3), Plane(9.02e-3)))},
            "interfaces 1 and 2 must be at least .* mm apart, got 0.02 mm",
        ),
        ({"frequency": 1e9}, "expected a frequency in Hz"),
        ({"frequency": 20e6}, "elements of order 10 take about .* GB"),
    ],
)
def test_bad_domains_are_refused(change: dict[str, Any], said: str) -> None:
    given = {"medium": OPEN, "source": SMALL, "frequency": F, **BOX} | change
    if "frequency" in change:
        given["per_wavelength"] = 1000.0
    with pytest.raises(InputError, match=said):
        solve_axisymmetric(**given)


def test_tilted_surfaces_are_refused() -> None:
    x = np.linspace(-20e-3, 20e-3, 9)
    tilted = SampledSurface(x, x, 20e-3 + 0.05 * x[:, None] + 0 * x)
    with pytest.raises(
        InputError, match="surface 1 is not round about the beam axis: at r = 15 mm"
    ):
        solve_axisymmetric(LayeredMedium((WATER, BONE), (tilted,)), SMALL, F, **BOX)


@pytest.mark.parametrize(
    ("rings", "velocity", "bend", "said"),
    [
        ([[0.0, 0.02], [0.01, 0.03]], [1, 1], 0.1, "not overlap"),
        ([[0.02, 0.01]], [1], 0.1, "inner < outer"),
        ([[0.0, 0.02]], [1, 1], 0.1, "velocity for each of 1 rings"),
        ([[0.0, 0.02]], [1], 0.01, "bowl of radius 10 mm cannot be 40 mm wide"),
    ],
)
def test_impossible_sources_are_refused(
    rings: list[list[float]], velocity: list[complex], bend: float, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        AxialSource(rings=np.array(rings), velocity=np.array(velocity), radius_of_curvature=bend)


def test_arrays_off_the_axis_are_refused() -> None:
    pair = element_array(
        [[0.0, 0.0, 0.0], [5e-3, 0.0, 0.0]], [[0, 0, 1], [0, 0, 1]], diameter=4e-3, frequency=F
    )
    with pytest.raises(InputError, match="element 2 of transducer 'array' is not a ring"):
        axial_source(pair, 1.0)
