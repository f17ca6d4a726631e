"""EEG of dipoles: lead field, direct solutions, references, bad input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.eeg import (
    eeg,
    eeg_gain,
    eeg_of,
    global_field_power,
    into_tissue,
    oriented,
    solve_dipoles,
)
from rheobase.fields.electrodes.electrode import Electrode, Model, place_electrode
from rheobase.fields.leadfield import LeadField
from rheobase.fields.leadfield_solve import lead_field
from rheobase.fields.solver import Conductor
from rheobase.fields.spheres import LayeredSphere
from rheobase.meshes.head import Head
from rheobase.meshes.placing.outlines import Disc
from rheobase.validation.dipoles import one_sphere, surface_potential
from rheobase.validation.leadfield import RADII, WHERE, ball

type Dipoles = tuple[NDArray[np.float64], NDArray[np.float64]]

NAMES = ("Cz", "Fz", "C3", "T8", "Oz")


@pytest.fixture(scope="module")
def head() -> Head:
    return ball(9e-3)


@pytest.fixture(scope="module")
def conductor(head: Head) -> Conductor:
    return Conductor(head, rtol=1e-10)


def electrodes(head: Head, model: Model = "ideal") -> list[Electrode]:
    return [place_electrode(head, n, shape=Disc(radius_mm=8.0), model=model) for n in NAMES]


@pytest.fixture(scope="module")
def lead(head: Head, conductor: Conductor, tmp_path_factory: pytest.TempPathFactory) -> LeadField:
    path = tmp_path_factory.mktemp("eeg") / "lead.h5"
    return lead_field(head, path, electrodes(head), conductor=conductor, tissues=["grey_matter"])


@pytest.fixture(scope="module")
def dipoles() -> Dipoles:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 3))
    x *= np.linspace(0.02, 0.068, 6)[:, None] / np.linalg.norm(x, axis=1, keepdims=True)
    return x, rng.normal(size=(6, 3)) * 1e-8


def test_what_is_solved_for_is_what_the_elements_lead_field_says(
    head: Head,
    lead: LeadField,
    conductor: Conductor,
    dipoles: Dipoles,
) -> None:
    x, p = dipoles
    for reference in ("average", "Fz"):
        solved = solve_dipoles(conductor, electrodes(head), x, p, reference=reference)
        gain = eeg_gain(lead, x, reference=reference, recovered=False)
        np.testing.assert_allclose(
            np.einsum("kpj,pj->kp", gain, p), solved, atol=1e-7 * np.abs(solved).max()
        )


@pytest.mark.slow
def test_metal_electrodes_shunt_the_eeg_too(
    head: Head,
    conductor: Conductor,
    dipoles: Dipoles,
    tmp_path: Path,
) -> None:
    x, p = dipoles
    metal = electrodes(head, "complete")
    field = lead_field(head, tmp_path / "l.h5", metal, conductor=conductor, tissues=["grey_matter"])
    solved = solve_dipoles(conductor, metal, x[:2], p[:2])
    read = np.einsum("kpj,pj->kp", eeg_gain(field, x[:2], recovered=False), p[:2])
    np.testing.assert_allclose(read, solved, atol=1e-7 * np.abs(solved).max())


def test_the_recovered_field_is_nearer_to_the_truth(
    head: Head, lead: LeadField, dipoles: Dipoles
) -> None:
    x, p = dipoles
    sphere = LayeredSphere(radii=RADII, sigma=[t.sigma for t in head.tissues.values()])
    exact = np.zeros((len(NAMES), len(x)))
    for k, name in enumerate(NAMES[:-1]):
        E = sphere.even_electrodes(x, WHERE[name], WHERE[NAMES[-1]], radius=8e-3)[1]
        exact[k] = -(E * p).sum(axis=1)
    exact -= exact.mean(axis=0)
    error = []
    for recovered in (True, False):
        V = np.einsum("kpj,pj->kp", eeg_gain(lead, x, recovered=recovered), p)
        error.append(np.linalg.norm(V - exact) / np.linalg.norm(exact))
    assert error[0] < 0.015
    assert error[1] > 2 * error[0]


def test_a_dipole_that_points_to_an_electrode_makes_it_positive(lead: LeadField) -> None:
    V = eeg(lead, [[0.0, 0.0, 0.06]], [[0.0, 0.0, 1e-8]])
    assert V.argmax() == NAMES.index("Cz")
    assert V[NAMES.index("Cz")] > 0
    assert abs(V.sum()) < 1e-12 * np.abs(V).max()


def test_references_courses_and_sums(lead: LeadField, dipoles: Dipoles) -> None:
    x, p = dipoles
    course = np.sin(np.arange(7.0))
    V = eeg(lead, x, p)
    in_time = eeg(lead, x, p[:, :, None] * course, reference="Oz")
    assert in_time.shape == (5, 7)
    assert not in_time[NAMES.index("Oz")].any()
    np.testing.assert_allclose(in_time, np.outer(V - V[-1], course), atol=1e-12 * np.abs(V).max())
    np.testing.assert_array_equal(eeg_of(eeg_gain(lead, x), p), V)
    np.testing.assert_allclose(global_field_power(in_time), np.std(np.outer(V, course), axis=0))


def test_moments_of_fixed_direction() -> None:
    size = np.arange(6.0).reshape(2, 3)
    p = oriented([[0, 0, 2], [3, 0, 0]], size)
    assert p.shape == (2, 3, 3)
    np.testing.assert_array_equal(p[0, 2], size[0])
    np.testing.assert_array_equal(p[1, 0], size[1])
    np.testing.assert_array_equal(oriented([[0, -1, 0]], [2.0]), [[0, -2, 0]])


def test_dipoles_outside_the_tissue_are_moved_there(lead: LeadField) -> None:
    x = np.array([[0.0, 0.0, 0.05], [0.0, 0.0, 0.0825]])
    with pytest.raises(InputError, match=r"1 of 2 are not, the first at \[0.0, 0.0, 0.0825\]"):
        eeg_gain(lead, x)
    inside, moved = into_tissue(lead, x, farthest=0.01)
    assert moved[0] == 0
    np.testing.assert_array_equal(inside[0], x[0])
    assert moved[1] == pytest.approx(np.linalg.norm(inside[1] - x[1]))
    eeg_gain(lead, inside)
    with pytest.raises(InputError, match=r"within 1 mm of the tissues .* 1 of 2"):
        into_tissue(lead, x, farthest=1e-3)


def test_bad_input(lead: LeadField, conductor: Conductor) -> None:
    x = [[0.0, 0.0, 0.05]]
    with pytest.raises(InputError, match="unknown reference electrode 'Ct', nearest"):
        eeg_gain(lead, x, reference="Ct")
    with pytest.raises(InputError, match=r"moments of 1 dipoles, shape \(1, 3\)"):
        eeg(lead, x, [[1.0, 0.0]])
    with pytest.raises(InputError, match="finite moments"):
        eeg(lead, x, [[np.nan, 0.0, 0.0]])
    with pytest.raises(InputError, match="positions of dipoles"):
        eeg_gain(lead, [[1.0, 2.0]])
    with pytest.raises(InputError, match="finite and not 0"):
        oriented([[0, 0, 0]], [1.0])
    with pytest.raises(InputError, match="directions"):
        oriented([[0, 0, 1]], [1.0, 2.0])
    with pytest.raises(InputError, match="inside the mesh"):
        solve_dipoles(conductor, [], [[0.0, 0.0, 0.2]], [[0.0, 0.0, 1.0]])
    with pytest.raises(InputError, match=r"shape \(1, 3\), got \(1, 3, 4\)"):
        solve_dipoles(conductor, [], x, np.zeros((1, 3, 4)))


def test_exact_solutions_agree() -> None:
    rng = np.random.default_rng(3)
    points = rng.normal(size=(9, 3))
    points *= 0.09 / np.linalg.norm(points, axis=1, keepdims=True)
    x, p = np.array([0.01, 0.05, -0.02]), np.array([1.0, -2.0, 0.5])
    series = surface_potential(points, x, p, radii=(0.09,), sigma=(0.33,))
    closed = one_sphere(points, x, p, radius=0.09, sigma=0.33)
    np.testing.assert_allclose(series - series[0], closed - closed[0], rtol=1e-9, atol=1e-9)
    split = surface_potential(points, x, p, radii=(0.07, 0.08, 0.09), sigma=(0.33, 0.33, 0.33))
    np.testing.assert_allclose(split, series, rtol=1e-9)
