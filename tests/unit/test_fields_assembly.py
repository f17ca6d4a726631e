"""Stiffness by tissue, its agreement with DOLFINx, and the solver."""

import os
import subprocess
import sys

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from rheobase._errors import InputError
from rheobase.fields.assembly import stiffness
from rheobase.fields.contacts import Contacts
from rheobase.fields.operators import assemble_stiffness
from rheobase.fields.solver import Conductor
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.mesher import mesh_spheres

SIGMA = {2: 0.33, 4: 0.01, 5: 0.465}


@pytest.fixture(scope="module")
def mesh() -> TetMesh:
    return mesh_spheres((0.06, 0.08, 0.095), tuple(SIGMA), 0.012)


def sigma_of(mesh: TetMesh) -> np.ndarray:
    return np.array([SIGMA[int(label)] for label in mesh.labels])


@pytest.fixture(scope="module")
def conductor(mesh: TetMesh) -> Conductor:
    return Conductor(mesh, SIGMA)


def test_linear_potential_stores_its_exact_energy(mesh: TetMesh) -> None:
    K = stiffness(mesh).matrix(SIGMA)
    gradient = np.array([1.0, -2.0, 0.5])
    V = mesh.nodes @ gradient
    energy = gradient @ gradient * (sigma_of(mesh) @ mesh.volumes())
    assert np.isclose(V @ (K @ V), energy, rtol=1e-13)


def test_matrix_is_symmetric_and_blind_to_constants(mesh: TetMesh) -> None:
    K = stiffness(mesh).matrix(SIGMA)
    assert np.abs((K - K.T).data).max(initial=0) < 1e-15 * np.abs(K.data).max()
    assert np.abs(K @ np.ones(K.shape[0])).max() < 1e-13 * np.abs(K.data).max()


def test_one_tissue_at_a_time_adds_up(mesh: TetMesh) -> None:
    s = stiffness(mesh)
    one = [np.where(s.labels == label, 1.0, 1e-300) for label in s.labels]
    parts = [s.data(dict(zip(s.labels.tolist(), w, strict=True))) for w in one]
    whole = sum(SIGMA[int(label)] * p for label, p in zip(s.labels, parts, strict=True))
    assert np.allclose(whole, s.data(SIGMA), rtol=1e-13, atol=1e-18)


def test_own_assembly_equals_dolfinx(mesh: TetMesh) -> None:
    ours = stiffness(mesh).matrix(SIGMA)
    theirs, positions = assemble_stiffness(mesh, sigma_of(mesh))
    distance, order = (np.asarray(a) for a in cKDTree(mesh.nodes).query(positions))
    assert distance.max() < 1e-15
    wrong = (ours[order][:, order] - theirs).data
    assert np.abs(wrong).max(initial=0) < 1e-12 * np.abs(theirs.data).max()


def test_quadratic_operator_is_exact_on_quadratics(mesh: TetMesh) -> None:
    K, x = assemble_stiffness(mesh, np.ones(len(mesh.tets)), degree=2)
    V = x[:, 0] ** 2 - x[:, 1] ** 2
    corner = mesh.nodes[mesh.tets]
    mean = corner.mean(axis=1)
    second = (
        np.einsum("tai,taj->tij", corner, corner) + 16 * mean[:, :, None] * mean[:, None]
    ) / 20
    energy = 4 * (mesh.volumes() @ (second[:, 0, 0] + second[:, 1, 1]))
    assert np.isclose(V @ (K @ V), energy, rtol=1e-12)


def test_forms_need_no_compiler_and_no_home(tmp_path: object) -> None:
    code = (
        "import numpy as np; from rheobase.meshes.mesh import TetMesh;"
        "from rheobase.fields.operators import assemble_stiffness as f;"
        "m = TetMesh(nodes=np.vstack([np.zeros(3), np.eye(3)]), tets=np.array([[0, 1, 2, 3]]),"
        "labels=np.array([1])); print(abs(f(m, np.ones(1))[0]).sum())"
    )
    env = {**os.environ, "PATH": "/nonexistent", "HOME": "/nonexistent", "CC": "false"}
    env |= {"XDG_CACHE_HOME": "/nonexistent"}
    out = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    assert float(out.stdout) == pytest.approx(2.0)


def test_solution_meets_its_residual_and_is_reciprocal(conductor: Conductor) -> None:
    generator = np.random.default_rng(3)
    b = generator.normal(size=(3, len(conductor.mesh.nodes)))
    b -= b.mean(axis=1, keepdims=True)
    V, solves = conductor.solve(b)
    for k in range(3):
        r = b[k] - conductor.apply(V[k])
        assert np.linalg.norm(r) <= 1e-8 * np.linalg.norm(b[k])
        assert solves[k].residual <= 1e-8
        assert 0 < solves[k].iterations < 30
    gram = V @ b.T
    assert np.allclose(gram, gram.T, rtol=1e-7)


@pytest.mark.parametrize("attached", [False, True])
def test_blocks_equal_single_solutions(conductor: Conductor, attached: bool) -> None:
    generator = np.random.default_rng(8)
    n = len(conductor.mesh.nodes)
    contacts = None
    if attached:
        nodes = np.flatnonzero(np.linalg.norm(conductor.mesh.nodes, axis=1) > 0.0949)[:40]
        m = generator.random(40)
        B = csr_array(np.diag(m))
        W = m[None, :] / np.sqrt(m.sum())
        contacts = Contacts(nodes=nodes.astype(np.int32), B=B, W=W)
    b = generator.normal(size=(11, n))
    b -= b.mean(axis=1, keepdims=True)
    b[4] = 0.0
    V, solves = conductor.solve(b, contacts=contacts, rtol=1e-11)
    for k in (0, 4, 7, 10):
        one, _ = conductor.solve(b[k], contacts=contacts, rtol=1e-11)
        assert np.allclose(V[k], one[0], atol=1e-9 * max(np.ptp(one), 1e-300))
        assert solves[k].residual <= 1e-11
    assert solves[4].iterations == 0
    assert max(s.iterations for s in solves) < 40


def test_zero_current_gives_zero(conductor: Conductor) -> None:
    V, solves = conductor.solve(np.zeros(len(conductor.mesh.nodes)))
    assert not V.any()
    assert solves[0].iterations == 0


def test_unbalanced_current_is_refused(conductor: Conductor) -> None:
    with pytest.raises(InputError, match="must sum to 0 A"):
        conductor.solve(np.ones(len(conductor.mesh.nodes)))


def test_missing_or_bad_conductivity_is_refused(mesh: TetMesh) -> None:
    with pytest.raises(InputError, match="no conductivity for mesh label 5"):
        Conductor(mesh, {2: 0.33, 4: 0.01})
    with pytest.raises(InputError, match="sigma must be > 0"):
        Conductor(mesh, {**SIGMA, 4: -1.0})


def test_island_has_its_own_ground(mesh: TetMesh) -> None:
    n = len(mesh.nodes)
    both = TetMesh(
        nodes=np.vstack([mesh.nodes, mesh.nodes + 1.0]),
        tets=np.vstack([mesh.tets, mesh.tets + n]),
        labels=np.concatenate([mesh.labels, mesh.labels]),
    )
    c = Conductor(both, SIGMA)
    assert len(c.grounds) == 2
    b = np.zeros(2 * n)
    b[[3, n - 1]] = 1.0, -1.0
    V, _ = c.solve(b)
    assert not V[0, n:].any()
    b = np.zeros(2 * n)
    b[[3, n + 3]] = 1.0, -1.0
    with pytest.raises(InputError, match="connected part"):
        c.solve(b)
