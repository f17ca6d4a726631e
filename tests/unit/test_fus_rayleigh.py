"""Rayleigh integrals: against closed forms, on planes, backwards."""

from itertools import pairwise
from math import pi

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.fields.acoustics.media import Fluid
from rheobase.fields.acoustics.plane import plane_source
from rheobase.fields.acoustics.rayleigh import (
    back_propagate,
    normal_velocity,
    pressure,
    pressures,
    unit_responses,
)
from rheobase.fields.acoustics.transducers.arrays import element_array
from rheobase.fields.acoustics.transducers.elements import Rectangle, Ring
from rheobase.fields.acoustics.transducers.source import Source
from rheobase.fields.acoustics.transducers.transducer import Transducer, annular_array, bowl, disc
from rheobase.validation.acoustic_closed_forms import Layer, bowl_on_axis, disc_on_axis
from rheobase.validation.acoustic_sources import focus, on_axis, plane

FREQUENCY = 500e3
WATER = Fluid(name="water", sound_speed=1500.0, density=1000.0)
LOSSY = Fluid(name="lossy water", sound_speed=1500.0, density=1000.0, attenuation=23.0)
BOWL = bowl(curvature_radius=0.064, aperture=0.064, frequency=FREQUENCY)
DISC = disc(diameter=0.02, frequency=FREQUENCY)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.mark.parametrize(
    ("shape", "area"),
    [
        (Ring(outer_radius=0.032, curvature_radius=0.064), 2 * pi * 0.064 * 8.574374e-3),
        (Ring(outer_radius=0.01), pi * 1e-4),
        (Ring(outer_radius=0.01, inner_radius=0.006), pi * 0.64e-4),
        (Ring(outer_radius=0.01, curvature_radius=0.01), 2 * pi * 1e-4),
        (Rectangle(width=0.003, height=0.002), 6e-6),
    ],
)
def test_points_add_up_to_the_area(shape: Ring | Rectangle, area: float) -> None:
    assert shape.area == pytest.approx(area, rel=1e-7)
    for spacing in (2e-3, 3e-4):
        facets = shape.facets(spacing)
        assert facets.area.sum() == pytest.approx(shape.area, rel=1e-12)
        assert np.linalg.norm(facets.normals, axis=1) == pytest.approx(1.0, rel=1e-12)
        if isinstance(shape, Ring) and np.isfinite(shape.curvature_radius):
            middle = facets.points - [0, 0, shape.curvature_radius]
            assert middle == pytest.approx(-shape.curvature_radius * facets.normals, abs=1e-15)


def test_points_integrate_plane_waves(rng: np.random.Generator) -> None:
    k = 2 * pi / 0.003
    for shape in (Ring(outer_radius=0.032, curvature_radius=0.064), Ring(outer_radius=0.003)):
        facets, fine = shape.facets(0.0012), shape.facets(0.0004)
        for direction in rng.normal(size=(5, 3)):
            way = k * direction / np.linalg.norm(direction)
            exact = np.exp(1j * fine.points @ way) @ fine.area
            got = np.exp(1j * facets.points @ way) @ facets.area
            assert abs(got - exact) < 1e-7 * shape.area


@pytest.mark.parametrize("fluid", [WATER, LOSSY])
def test_bowl_and_disc_on_the_axis(fluid: Fluid) -> None:
    z = np.linspace(0.012, 0.12, 200)
    points = np.stack([0 * z, 0 * z, z], axis=1)
    layer = Layer(*fluid.at(FREQUENCY))
    k, p0 = layer.wavenumber(FREQUENCY), layer.source_pressure(0.04, FREQUENCY)
    for transducer, exact in (
        (BOWL, bowl_on_axis(z, radius=0.064, aperture=0.064, pressure=p0, k=k)),
        (DISC, disc_on_axis(z, radius=0.01, pressure=p0, k=k)),
    ):
        source = transducer.source(velocity=0.04, fluid=fluid)
        P = pressure(source, points, frequency=FREQUENCY, fluid=fluid)
        assert np.abs(P - exact).max() < 1e-10 * np.abs(exact).max()


def test_fields_converge_with_the_spacing(rng: np.random.Generator) -> None:
    points = np.append(rng.uniform(-0.03, 0.03, (300, 2)), rng.uniform(0.015, 0.1, (300, 1)), 1)
    source = BOWL.source(velocity=1.0, fluid=LOSSY, per_wavelength=5)
    exact = pressure(source, points, frequency=FREQUENCY, fluid=LOSSY)
    errors = []
    for n in (2.0, 2.5, 3.5):
        source = BOWL.source(velocity=1.0, fluid=LOSSY, per_wavelength=n)
        P = pressure(source, points, frequency=FREQUENCY, fluid=LOSSY)
        errors.append(np.abs(P - exact).max() / np.abs(exact).max())
    assert errors[1] < 1e-8
    assert all(b < a / 8 for a, b in pairwise(errors))


def test_velocity_is_the_slope_of_pressure(rng: np.random.Generator) -> None:
    source = DISC.source(velocity=1 + 0.5j, fluid=LOSSY)
    points = np.append(rng.uniform(-0.02, 0.02, (40, 2)), rng.uniform(0.01, 0.05, (40, 1)), 1)
    normals = rng.normal(size=(40, 3))
    normals /= np.linalg.norm(normals, axis=1)[:, None]
    step = 1e-6
    ahead, behind = (
        pressure(source, points + s * normals, frequency=FREQUENCY, fluid=LOSSY)
        for s in (step, -step)
    )
    slope = (ahead - behind) / (2 * step)
    u = normal_velocity(source, points, normals, frequency=FREQUENCY, fluid=LOSSY)
    expected = slope * 1j / (2 * pi * FREQUENCY * LOSSY.density)
    assert np.abs(u - expected).max() < 1e-6 * np.abs(expected).max()


def test_velocity_ahead_of_a_wide_disc_is_its_own() -> None:
    wide = disc(diameter=0.08, frequency=FREQUENCY).source(
        velocity=0.3 - 0.1j, fluid=WATER, per_wavelength=12
    )
    z = 0.002  # the wave from the rim comes later: leave it out by the mean over a wavelength
    radius = np.linspace(0.0, 0.012, 400)
    points = np.stack([radius, 0 * radius, np.full(400, z)], axis=1)
    u = normal_velocity(wide, points, [0.0, 0.0, 1.0], frequency=FREQUENCY, fluid=WATER)
    k = 2 * pi * FREQUENCY / WATER.sound_speed
    assert abs((u * np.exp(1j * k * z)).mean() / (0.3 - 0.1j) - 1) < 0.02


def test_drives_share_the_pairs(rng: np.random.Generator) -> None:
    rings = annular_array(
        inner=[0, 0.03, 0.045],
        outer=[0.029, 0.044, 0.06],
        curvature_radius=0.064,
        frequency=FREQUENCY,
    )
    points = np.append(rng.uniform(-0.02, 0.02, (70, 2)), rng.uniform(0.02, 0.09, (70, 1)), 1)
    source = rings.source(velocity=1.0, fluid=WATER)
    drives = rng.normal(size=(2, 3)) + 1j * rng.normal(size=(2, 3))
    one = drives @ unit_responses(source, points, frequency=FREQUENCY, fluid=WATER)
    two = pressures(source, drives[:, source.element], points, frequency=FREQUENCY, fluid=WATER)
    three = pressure(
        rings.source(velocity=drives[1], fluid=WATER), points, frequency=FREQUENCY, fluid=WATER
    )
    assert one == pytest.approx(two, rel=1e-10, abs=1e-8 * np.abs(two).max())
    assert one[1] == pytest.approx(three, rel=1e-10, abs=1e-8 * np.abs(two).max())


def test_plane_radiates_the_same_field(rng: np.random.Generator) -> None:
    source = BOWL.source(velocity=0.04, fluid=WATER)
    points = np.append(rng.uniform(-0.01, 0.01, (100, 2)), rng.uniform(0.03, 0.09, (100, 1)), 1)
    points[0] = 0, 0, 0.062  # the focus
    exact = pressure(source, points, frequency=FREQUENCY, fluid=WATER)
    totals = []
    for half, missed, most in ((0.03, 0.01, 5e-3), (0.045, 0.0028, 1e-3)):
        plane = plane_source(source, 0.02, half_width=half, frequency=FREQUENCY, fluid=WATER)
        P = pressure(plane.source, points, frequency=FREQUENCY, fluid=WATER)
        assert np.abs(P - exact).max() < most * np.abs(exact).max()
        assert 0.8 * missed < plane.missed < missed
        totals.append(plane.power / (1 - plane.missed))
    assert totals[0] == pytest.approx(totals[1], rel=3e-4)  # no power is lost in water
    assert totals[0] == pytest.approx(0.5 * WATER.impedance * 0.04**2 * BOWL.areas[0], rel=3e-3)


def test_fine_planes_are_filled_from_coarse_ones() -> None:
    source = DISC.source(velocity=1.0, fluid=LOSSY)
    plane = plane_source(
        source, 0.004, half_width=(0.02, 0.015), frequency=FREQUENCY, fluid=LOSSY, per_wavelength=12
    )
    assert plane.source.area.sum() == pytest.approx(4 * 0.02 * 0.015)
    some = slice(0, None, 37)
    exact = normal_velocity(
        source, plane.source.points[some], [0.0, 0.0, 1.0], frequency=FREQUENCY, fluid=LOSSY
    )
    assert np.abs(plane.source.velocity[some] - exact).max() < 3e-5 * np.abs(exact).max()


def test_pressure_on_a_plane_goes_back_to_the_elements(rng: np.random.Generator) -> None:
    target = np.array([[0.002, -0.001, 0.064]])
    k = 2 * pi * FREQUENCY / WATER.sound_speed
    n = 220
    side = 0.1 * (np.arange(n) + 0.5) / n - 0.05
    points = np.stack([np.repeat(side, n), np.tile(side, n), np.full(n * n, 0.03)], axis=1)
    up = np.tile([0.0, 0.0, 1.0], (n * n, 1))
    plane = Source(
        points=points,
        velocity=np.zeros(n * n, complex),
        area=np.full(n * n, (0.1 / n) ** 2),
        normal=up,
        element=np.zeros(n * n, int),
    )
    r = np.linalg.norm(points - target, axis=1)
    to = rng.uniform(-0.008, 0.008, (50, 3)) + np.array([0, 0, 0.005])
    R = np.linalg.norm(to - target, axis=1)
    exact = np.exp(-1j * k * R) / R
    back = back_propagate(plane, np.exp(-1j * k * r) / r, to, frequency=FREQUENCY, fluid=WATER)
    assert np.abs(back / exact - 1).max() < 0.05  # the window sees 53 degrees of the wave
    assert abs((back / exact).mean() - 1) < 5e-3


def test_too_many_responses_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rheobase.fields.acoustics.rayleigh.free_memory", lambda: 1e5)
    source = DISC.source(velocity=1.0)
    with pytest.raises(InputError, match="9,000 points of 1 drives or elements need"):
        pressure(source, np.ones((9000, 3)), frequency=FREQUENCY, fluid=WATER)


def test_the_checks_of_sources_hold() -> None:
    for row in on_axis() + focus() + plane():
        assert row.passed, row


def test_a_source_pressure_is_that_of_a_plane_wave() -> None:
    by_pressure = BOWL.source(pressure=60e3, fluid=WATER).velocity
    assert by_pressure == pytest.approx(60e3 / (1000.0 * 1500.0))


def test_a_source_is_only_for_the_wavelengths_it_samples() -> None:
    source = BOWL.source(velocity=0.04, fluid=WATER)
    with pytest.raises(InputError, match=r"1.2 mm apart are 0.25 a wavelength at 5000 kHz"):
        pressure(source, [[0, 0, 0.06]], frequency=5e6, fluid=WATER)
    ahead = plane_source(source, 0.02, half_width=0.03, frequency=FREQUENCY, fluid=WATER).source
    with pytest.raises(InputError, match="make the source for that frequency"):
        pressure(ahead, [[0, 0, 0.06]], frequency=2e6, fluid=WATER)
    with pytest.raises(InputError, match="expected a frequency in Hz"):
        pressure(source, [[0, 0, 0.06]], frequency=500.0, fluid=WATER)


def test_nothing_is_nothing() -> None:
    source = BOWL.source(velocity=0.0, fluid=WATER)
    assert pressure(source, np.empty((0, 3)), frequency=FREQUENCY, fluid=WATER).shape == (0,)
    ahead = plane_source(source, 0.02, half_width=0.03, frequency=FREQUENCY, fluid=WATER)
    assert (ahead.power, ahead.missed) == (0.0, 0.0)


def test_slips_of_units_and_sources_too_large_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"expected metres, at most 0\.5, got 32"):
        bowl(curvature_radius=64, aperture=64, frequency=FREQUENCY)
    with pytest.raises(InputError, match="expected metres, at most 1, got 3"):
        Rectangle(width=0.01, height=3)
    with pytest.raises(InputError, match="expected positions in metres"):
        element_array([[0.0, 0, 0], [9.0, 0, 0]], np.eye(3)[[2, 2]], diameter=0.01, frequency=1e6)
    with pytest.raises(InputError, match="expected a frequency in Hz"):
        disc(diameter=0.02, frequency=500)
    monkeypatch.setattr("rheobase.fields.acoustics.transducers.transducer.free_memory", lambda: 1e6)
    with pytest.raises(InputError, match=r"points 0.75 mm apart need 0.0 GiB of memory"):
        BOWL.source(velocity=1.0, fluid=WATER, per_wavelength=4)


def test_bad_sources() -> None:
    with pytest.raises(InputError, match="half the aperture"):
        bowl(curvature_radius=0.03, aperture=0.07, frequency=1e6)
    with pytest.raises(InputError, match=r"at least 2 points a wavelength, got 1\.5, set 2\.5"):
        BOWL.source(velocity=1.0, per_wavelength=1.5)
    with pytest.raises(InputError, match="either a velocity or a source pressure"):
        BOWL.source()
    with pytest.raises(InputError, match="one for each of 1 elements"):
        BOWL.source(velocity=[1.0, 2.0])
    with pytest.raises(InputError, match="rings must not overlap"):
        annular_array(inner=[0, 0.01], outer=[0.02, 0.03], frequency=1e6)
    source = DISC.source(velocity=1.0)
    with pytest.raises(InputError, match="off the source, one lies on it"):
        pressure(source, source.points[5], frequency=FREQUENCY, fluid=WATER)
    with pytest.raises(InputError, match="finite points"):
        pressure(source, [[np.nan, 0, 0]], frequency=FREQUENCY, fluid=WATER)
    with pytest.raises(InputError, match="finite normals of shape"):
        normal_velocity(source, [[0, 0, 0.1]], [0.0, 1.0], frequency=FREQUENCY, fluid=WATER)
    with pytest.raises(InputError, match=r"a wavelength ahead of the source, z >= 3\.00 mm"):
        plane_source(source, 0.002, half_width=0.02, frequency=FREQUENCY, fluid=WATER)
    with pytest.raises(InputError, match="one side of the plane"):
        back_propagate(
            source,
            np.ones(len(source.area)),
            [[0, 0, 0.01], [0, 0, -0.01]],
            frequency=FREQUENCY,
            fluid=WATER,
        )
    with pytest.raises(InputError, match="expected elements, got none"):
        Transducer(
            name="none",
            shapes=DISC.shapes,
            positions=np.empty((0, 3)),
            normals=np.empty((0, 3)),
            along=np.empty((0, 3)),
            frequency=1e6,
        )
