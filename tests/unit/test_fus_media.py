"""Fluids and layers of them along a beam."""

from __future__ import annotations

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.fields.acoustics.media import (
    WATER,
    Fluid,
    LayeredMedium,
    Plane,
    SampledSurface,
    SphereCap,
    fluid_of,
)
from rheobase.meshes.tissues import tissue

BONE = Fluid.from_decibels("bone", 2800.0, 1850.0, 4.0, frequency=500e3)


def test_decibels_and_the_power_law_of_the_loss() -> None:
    """4 dB/cm at 500 kHz are 46.05 Np/m there, twice that at 1 MHz, four times with exponent 2."""
    neper = 4.0 * 100.0 * np.log(10.0) / 20.0
    assert BONE.at(500e3) == pytest.approx((2800.0, 1850.0, neper))
    assert BONE.loss(1e6) == pytest.approx(2.0 * neper)
    square = Fluid.from_decibels("b", 2800.0, 1850.0, 4.0, frequency=500e3, exponent=2.0)
    assert square.loss(1e6) == pytest.approx(4.0 * neper)
    assert BONE.wavelength(500e3) == pytest.approx(5.6e-3)


def test_heat_takes_only_what_is_absorbed() -> None:
    """The wave loses all of the attenuation, heat is a share of it."""
    skull = fluid_of("skull")
    assert skull.loss(500e3) == pytest.approx(46.0517, abs=1e-4)
    # longitudinal waves in skull bone: 2.7 dB/(cm MHz), whatever the loss of the tables is
    assert skull.absorption(1e6) == pytest.approx(270.0 * np.log(10.0) / 20.0)
    assert fluid_of("spongy_bone").absorption(1e6) == pytest.approx(skull.absorption(1e6))
    assert "absorbed_fraction: published, second hand; tools disagree" in skull.note


def test_tissues_have_the_benchmark_values() -> None:
    """ITRUSST: skin, cortical and trabecular bone and brain at 500 kHz."""
    wanted = {
        "water": (1500.0, 1000.0, 0.0),
        "scalp": (1610.0, 1090.0, 0.2),
        "compact_bone": (2800.0, 1850.0, 4.0),
        "spongy_bone": (2300.0, 1700.0, 8.0),
        "grey_matter": (1560.0, 1040.0, 0.3),
    }
    for name, (c, rho, decibels) in wanted.items():
        loss = decibels * 100.0 * np.log(10.0) / 20.0
        assert fluid_of(name).at(500e3) == pytest.approx((c, rho, loss)), name


def test_what_is_unknown_is_an_error_that_names_the_tissue() -> None:
    """No density, speed or attenuation is ever made up."""
    with pytest.raises(InputError, match="attenuation is known of tissue 'muscle'"):
        fluid_of("muscle")
    with pytest.raises(InputError, match="sound_speed is known of tissue 'eye'"):
        fluid_of(tissue("eye"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sound_speed": 0.0}, "sound speed"),
        ({"density": float("nan")}, "density"),
        ({"attenuation": -1.0}, "attenuation"),
        ({"exponent": 4.0}, "exponent"),
        ({"absorbed_fraction": 1.1}, "absorbed fraction"),
    ],
)
def test_impossible_fluids_are_refused(values: dict[str, float], message: str) -> None:
    """One sentence names the value."""
    with pytest.raises(InputError, match=message):
        Fluid(**{"name": "x", "sound_speed": 1500.0, "density": 1000.0, **values})  # type: ignore[arg-type]


def test_a_sphere_faces_the_transducer_and_ends_at_its_side() -> None:
    """The near half, its slope by differences, and NaN beside it."""
    cap = SphereCap(75e-3, 105e-3)
    assert cap(0.0, 0.0) == pytest.approx(30e-3)
    x, y, h = np.array([0.01, 0.03]), np.array([-0.02, 0.01]), 1e-6
    slopes = cap.gradient(x, y)
    np.testing.assert_allclose(slopes[0], (cap(x + h, y) - cap(x - h, y)) / (2 * h), rtol=1e-6)
    np.testing.assert_allclose(slopes[1], (cap(x, y + h) - cap(x, y - h)) / (2 * h), rtol=1e-6)
    assert np.isnan(cap(0.08, 0.0))


def test_a_sampled_sphere_is_the_sphere() -> None:
    """The cubic spline through a 1 mm lattice is right to 0.1 µm and 0.01° over 60 mm."""
    cap = SphereCap(75e-3, 105e-3)
    line = np.linspace(-30e-3, 30e-3, 61)
    sampled = SampledSurface(line, line, cap(line[:, None], line))
    x, y = np.random.default_rng(0).uniform(-29e-3, 29e-3, (2, 500))
    assert np.abs(sampled(x, y) - cap(x, y)).max() < 1e-7
    slopes = np.subtract(sampled.gradient(x, y), cap.gradient(x, y))
    assert np.degrees(np.abs(slopes).max()) < 0.01


def test_frequencies_in_kilohertz_are_refused() -> None:
    """For losses and wavelengths alike: 500 for 500e3 Hz."""
    for ask in (
        lambda: WATER.wavelength(500.0),
        lambda: WATER.loss(500.0),
        lambda: Fluid.from_decibels("bone", 2800.0, 1850.0, 4.0, frequency=500.0),
    ):
        with pytest.raises(InputError, match="expected a frequency in Hz"):
            ask()


def test_a_sampled_surface_goes_on_level() -> None:
    """Beyond the lattice the height is that of its border, with no slope outwards."""
    line = np.linspace(0.0, 1.0, 5)
    tilted = SampledSurface(line, line, line[:, None] + 0.0 * line)
    assert tilted(1.5, 0.5) == pytest.approx(1.0)
    assert tilted.gradient(0.5, 0.5)[0] == pytest.approx(1.0)
    assert tilted.gradient(1.5, 0.5)[0] == 0.0


def test_bad_lattices_are_refused() -> None:
    """Too few lines, lines that shrink, heights that do not fit or are not finite."""
    line = np.linspace(0.0, 1.0, 5)
    flat = np.zeros((5, 5))
    for x, z, message in (
        (line[:3], flat[:3], "at least 4"),
        (line[::-1], flat, "grow"),
        (line, flat[:4], "shape"),
        (line, flat + np.nan, "finite heights"),
    ):
        with pytest.raises(InputError, match=message):
            SampledSurface(x, line, z)


def test_points_are_in_the_layer_between_their_surfaces() -> None:
    """A curved plate in water: the fluid changes at the surfaces, the notes are kept once."""
    doubtful = Fluid(name="b", sound_speed=2800.0, density=1850.0, note="check")
    surfaces = (SphereCap(75e-3, 105e-3), SphereCap(68.5e-3, 105e-3))
    medium = LayeredMedium((WATER, doubtful, WATER), surfaces)
    z = np.array([29.9, 30.1, 36.4, 36.6]) * 1e-3
    points = np.column_stack([np.zeros((4, 2)), z])
    assert medium.layers(points).tolist() == [0, 1, 1, 2]
    c, rho, _ = medium.materials(points, 500e3)
    assert c.tolist() == [1500.0, 2800.0, 2800.0, 1500.0]
    assert rho.tolist() == [1000.0, 1850.0, 1850.0, 1000.0]
    assert medium.notes == ("b: check",)
    x = np.linspace(-30e-3, 30e-3, 7)
    medium.check(x[:, None], x)


def test_crossing_missing_and_thin_layers_are_refused() -> None:
    """The check names the layer and the place."""
    x = np.linspace(-30e-3, 30e-3, 7)[:, None]
    y = x.T
    crossing = LayeredMedium((WATER, BONE, WATER), (Plane(35e-3), SphereCap(75e-3, 105e-3)))
    with pytest.raises(InputError, match=r"layer 'bone' has -5 mm at \(x, y\) = \(0.0, 0.0\)"):
        crossing.check(x, y)
    thin = LayeredMedium((WATER, BONE, WATER), (Plane(30e-3), Plane(30.2e-3)))
    thin.check(x, y)
    with pytest.raises(InputError, match=r"thicker than 0\.3 mm"):
        thin.check(x, y, least=0.3e-3)
    beside = LayeredMedium((WATER, BONE), (SphereCap(35e-3, 50e-3),))
    with pytest.raises(InputError, match="'bone' does not reach"):
        beside.check(x, y)
    with pytest.raises(InputError, match="one fluid more"):
        LayeredMedium((WATER,), (Plane(0.01),))
