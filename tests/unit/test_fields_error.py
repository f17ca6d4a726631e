"""Correction of potentials and estimate of what is left: linear, conservative, near the truth."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.fields.basis import FieldBasis, load_basis
from rheobase.fields.coils.coil import magnetic_dipole
from rheobase.fields.correction import correct
from rheobase.fields.error import error_table, estimate_error
from rheobase.fields.induction import solve_induction
from rheobase.fields.solver import Conductor
from rheobase.fields.spheres import magnetic_dipole_field
from rheobase.fields.tensors import Tensors
from rheobase.meshes.head import Head
from rheobase.meshes.mesher import mesh_spheres
from rheobase.meshes.regions.region import ball
from rheobase.meshes.tissues import tissue

DIPOLES = {"near": [0.0, 0.0, 0.11], "far": [0.0, 0.0, 0.3]}
LABELS, SIGMA = (2, 4, 5), (0.33, 0.01, 0.33)


@pytest.fixture(scope="module")
def conductor() -> Conductor:
    mesh = mesh_spheres((0.07, 0.08, 0.09), LABELS, 0.008)
    return Conductor(mesh, dict(zip(LABELS, SIGMA, strict=True)))


@pytest.fixture(scope="module")
def basis(conductor: Conductor) -> FieldBasis:
    coils = [magnetic_dipole(p, [1.0, 0, 0], name=n) for n, p in DIPOLES.items()]
    return solve_induction(conductor, coils)


def true_error(basis: FieldBasis, k: int, E: np.ndarray) -> np.ndarray:
    position = list(DIPOLES.values())[k]
    exact = magnetic_dipole_field(basis.split_position, position, [1.0, 0, 0])
    wrong: np.ndarray = np.linalg.norm(E - exact, axis=1)
    return wrong


def size(basis: FieldBasis, values: np.ndarray, label: int) -> float:
    at = basis.split_label == label
    return float(np.sqrt(basis.split_volume[at] @ values[at] ** 2))


def test_the_correction_brings_the_field_closer_in_every_tissue(
    conductor: Conductor, basis: FieldBasis
) -> None:
    assert basis.correction is not None
    moved = conductor.recovery.gradient(basis.correction)
    for k in range(2):
        for label in LABELS:
            before = size(basis, true_error(basis, k, basis.E[k] + moved[k]), label)
            after = size(basis, true_error(basis, k, basis.E[k]), label)
            assert after < 0.9 * before
        brain = [
            size(basis, true_error(basis, k, E), 2) for E in (basis.E[k], basis.E[k] + moved[k])
        ]
        assert brain[0] < 0.6 * brain[1]


def test_the_correction_is_linear_and_blind_to_constants(conductor: Conductor) -> None:
    rng = np.random.default_rng(3)
    x = conductor.mesh.nodes
    V = np.stack([x[:, 0] ** 2 + rng.standard_normal() * x[:, 1], np.exp(10 * x[:, 2])])
    W = correct(conductor, V)
    mixed = correct(conductor, (2 * V[:1] - 3 * V[1:]) + 7.0)
    scale = np.abs(W).max()
    assert np.abs(mixed - 2 * W[:1] + 3 * W[1:]).max() < 1e-6 * scale


def test_a_field_that_the_elements_hold_exactly_needs_no_correction() -> None:
    mesh = mesh_spheres((0.09,), (2,), 0.012)
    c = Conductor(mesh, {2: 0.33})
    V = mesh.nodes @ np.array([1.0, -2.0, 0.5])
    assert np.abs(correct(c, V[None])).max() < 1e-12


def test_singular_nodes_are_left_alone(conductor: Conductor) -> None:
    nodes = conductor.mesh.nodes
    top = int(nodes[:, 2].argmax())
    V = 1.0 / (np.linalg.norm(nodes - nodes[top], axis=1) + 1e-4)[None]
    everything = np.arange(len(nodes))
    assert (correct(conductor, V, singular=everything) == 0).all()
    spared = correct(conductor, V, singular=np.array([top]))
    assert 0 < np.abs(spared).max() < 0.5 * np.abs(correct(conductor, V)).max()


def test_anisotropic_tissues_are_fitted_with_all_quadratics() -> None:
    mesh = mesh_spheres((0.06, 0.09), (2, 5), 0.015)
    tets = np.flatnonzero(mesh.labels == 2).astype(np.int32)
    one = np.tile([2.0, 0.0, 0.0, 0.5, 0.0, 1.0], (len(tets), 1))
    c = Conductor(mesh, {2: 0.3, 5: 0.3}, tensors=Tensors(tets=tets, values=one))
    x, y, _ = mesh.nodes.T
    V = (x * x / 2.0 - y * y / 0.5)[None]  # div(sigma grad V) = 0
    found = c.recovery.gradient(V)[0]
    inside = c.split.label == 2
    p = mesh.nodes[c.split.node]
    exact = np.stack([p[:, 0], -4 * p[:, 1], 0 * p[:, 2]], 1)
    assert np.abs(found - exact)[inside].max() < 1e-10


def test_estimated_error_is_of_the_size_of_the_true_one(basis: FieldBasis) -> None:
    for k in range(2):
        a = np.eye(2)[k]
        eta = estimate_error(basis, a)
        true = true_error(basis, k, basis.E[k])
        for label, row in zip(LABELS, error_table(basis, a), strict=True):
            ratio = size(basis, eta, label) / size(basis, true, label)
            assert 0.6 < ratio < 5
            assert row["relative"] == pytest.approx(
                size(basis, eta, label) / size(basis, basis.magnitude(a), label)
            )


def test_the_estimate_finds_where_the_field_is_worst(basis: FieldBasis) -> None:
    eta, true = estimate_error(basis, [1.0, 0.0]), true_error(basis, 0, basis.E[0])
    brain = np.flatnonzero(basis.split_label == 2)
    worst = brain[np.argsort(true[brain])[-len(brain) // 20 :]]
    assert eta[worst].mean() > 5 * np.median(eta[brain])


def test_the_estimate_scales_with_the_amplitude(basis: FieldBasis) -> None:
    a = np.array([1.0, -20.0])
    assert np.allclose(estimate_error(basis, 3 * a), 3 * estimate_error(basis, a), rtol=1e-9)


def test_regions_have_their_own_estimate(conductor: Conductor, basis: FieldBasis) -> None:
    head = Head(
        name="sphere",
        species="human",
        space="sphere",
        mesh=conductor.mesh,
        tissues={
            n: tissue(t) for n, t in zip(LABELS, ("grey_matter", "skull", "scalp"), strict=True)
        },
    )
    top = ball([0, 0, 0.06], 0.02, name="under the coil")
    far = ball([0, 0, -0.05], 0.02, name="far from it")
    rows = error_table(basis, [1.0, 0.0], head=head, regions=[top, far])
    assert [r["region"] for r in rows] == ["under the coil", "far from it"]
    assert float(rows[0]["error_rms"]) > 10 * float(rows[1]["error_rms"])
    names = [r["region"] for r in error_table(basis, [1.0, 0.0], head=head)]
    assert names == ["grey_matter", "skull", "scalp"]


def test_corrections_are_kept_in_the_file(basis: FieldBasis, tmp_path: Path) -> None:
    basis.save(tmp_path / "basis.h5")
    back = load_basis(tmp_path / "basis.h5")
    assert back.correction is not None
    assert (back.correction == basis.correction).all()


def test_what_cannot_be_estimated(basis: FieldBasis) -> None:
    with pytest.raises(InputError, match=re.escape("expected 2 amplitudes")):
        estimate_error(basis, [1.0])
    with pytest.raises(InputError, match="expected the head of the basis"):
        error_table(basis, [1.0, 0.0], regions=[ball([0, 0, 0], 0.01)])
    with pytest.raises(InputError, match="got one without"):
        estimate_error(replace(basis, correction=None), [1.0, 0.0])
