"""Exact sphere fields: against independent numbers."""

import numpy as np
import pytest

from rheobase.fields.coils.coil import magnetic_dipole
from rheobase.fields.spheres import LayeredSphere, magnetic_dipole_field

SPHERE = LayeredSphere(radii=(0.085, 0.090, 0.095), sigma=(0.33, 0.01, 0.33))
POLES = ([0, 0, 1], [0, 0, -1])


def test_three_layers_against_an_independent_series() -> None:
    points = 1e-3 * np.array([[0, 0, 0], [0, 0, 70], [30, 20, 60], [0, 50, 0], [0, 0, 84]])
    V, E = SPHERE.point_electrodes(points, *POLES, current=1e-3)
    assert (
        pytest.approx([0, 14.95184492, 9.35487127, 0, 24.09936119], rel=1e-8, abs=1e-12) == 1e3 * V
    )
    assert np.linalg.norm(E, axis=1)[:4] == pytest.approx(
        [0.14898246, 0.42776818, 0.21916020, 0.12341022], rel=1e-7
    )


def test_centre_of_a_homogeneous_sphere() -> None:
    for radius in (0.092, 0.095):
        sphere = LayeredSphere(radii=(radius,), sigma=(0.33,))
        _, E = sphere.point_electrodes([[0, 0, 0]], *POLES, current=1e-3)
        assert -E[0, 2] == pytest.approx(3e-3 / (2 * np.pi * 0.33 * radius**2), rel=1e-12)


def test_series_is_continuous_and_its_field_is_its_gradient() -> None:
    source, sink = [0.3, -0.2, 0.9], [-0.8, 0.1, 0.2]
    for radius in SPHERE.radii[:2]:
        p = radius * np.array([[0.6, 0.0, 0.8]])
        inner, Ei = SPHERE.point_electrodes(p * (1 - 1e-9), source, sink)
        outer, Eo = SPHERE.point_electrodes(p * (1 + 1e-9), source, sink)
        assert inner == pytest.approx(outer, rel=1e-6)
        sigma = dict(
            zip(SPHERE.radii, zip(SPHERE.sigma, SPHERE.sigma[1:], strict=False), strict=False)
        )
        n = p[0] / radius
        below, above = sigma[radius]
        assert below * (Ei[0] @ n) == pytest.approx(above * (Eo[0] @ n), rel=1e-6)
    p, h = np.array([0.02, 0.03, 0.05]), 1e-5
    _, E = SPHERE.point_electrodes(p, source, sink)
    for j in range(3):
        step = h * np.eye(3)[j]
        V, _ = SPHERE.point_electrodes(np.stack([p + step, p - step]), source, sink)
        assert -(V[0] - V[1]) / (2 * h) == pytest.approx(E[0, j], rel=1e-5)


def test_three_hundred_terms_do_not_overflow() -> None:
    p = np.array([[0.01, 0.02, 0.09], [0.01, 0.02, 0.085]])
    few, _ = SPHERE.point_electrodes(p, [1, 0, 0], [-1, 0, 0], n_terms=250)
    many, E = SPHERE.point_electrodes(p, [1, 0, 0], [-1, 0, 0], n_terms=2000)
    assert np.isfinite(E).all()
    assert (np.abs(E) > 0).any(axis=1).all()
    assert few == pytest.approx(many, rel=1e-2)


def test_layers_are_checked() -> None:
    with pytest.raises(ValueError, match="radii must grow"):
        LayeredSphere(radii=(0.09, 0.08), sigma=(1.0, 1.0))


def test_magnetic_dipole_against_published_numbers() -> None:
    points = 1e-3 * np.array([[0, 0, 70], [0, 0, 84], [30, 20, 60], [0, 0, 10]])
    E = 1e6 * magnetic_dipole_field(points, [0, 0, 0.3], [1, 0, 0])
    reference = [
        [0.0, -0.22054190, 0.0],
        [0.0, -0.30006859, 0.0],
        [-0.01660484, -0.14581932, 0.05690886],
        [0.0, -0.01981768, 0.0],
    ]
    assert np.allclose(E, reference, atol=1e-8)


def test_no_radial_field_and_no_charge_from_a_radial_dipole() -> None:
    points = np.random.default_rng(0).uniform(-0.05, 0.05, (20, 3))
    E = magnetic_dipole_field(points, [0.1, 0, 0.1], [0.2, 1, 0.4])
    assert np.abs((E * points).sum(1)).max() < 1e-12 * np.abs(E).max()
    # A of a radial dipole is tangential, so no charge gathers and E = -dA/dt
    radial = magnetic_dipole_field(points, [0.1, 0, 0.1], [1, 0, 1])
    A = magnetic_dipole([0.1, 0, 0.1], [1, 0, 1]).vector_potential(points)
    assert np.allclose(radial, -A, rtol=1e-10, atol=1e-20)


def test_dipole_field_turns_as_its_magnetic_field_grows() -> None:
    """Faraday: curl E = -B of the dipole per unit dI/dt; with E·r = 0 that determines E."""
    at, m = np.array([0.02, -0.03, 0.11]), np.array([0.5, 1.0, -0.3])
    points = np.random.default_rng(2).uniform(-0.04, 0.04, (10, 3))
    h = 1e-5
    slope = np.stack(
        [
            magnetic_dipole_field(points + h * step, at, m)
            - magnetic_dipole_field(points - h * step, at, m)
            for step in np.eye(3)
        ],
        axis=2,
    ) / (2 * h)  # dE_i/dx_j
    curl = np.stack(
        [slope[:, (j + 2) % 3, (j + 1) % 3] - slope[:, (j + 1) % 3, (j + 2) % 3] for j in range(3)],
        1,
    )
    d = points - at
    r = np.linalg.norm(d, axis=1)[:, None]
    B = 1e-7 * (3 * d * (d @ m)[:, None] / r**5 - m / r**3)
    assert np.abs(curl + B).max() < 1e-6 * np.abs(B).max()
