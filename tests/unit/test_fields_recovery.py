"""Recovery of the gradient: exact on polynomials, never across tissues."""

import numpy as np
import pytest

from rheobase.fields.recovery import recover_gradient, recovery, split_nodes
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.mesher import mesh_spheres


@pytest.fixture(scope="module")
def mesh() -> TetMesh:
    return mesh_spheres((0.06, 0.08, 0.095), (2, 4, 5), 0.01)


def test_every_tissue_has_its_own_value_at_an_interface(mesh: TetMesh) -> None:
    split = split_nodes(mesh)
    assert (split.node[split.of_tet] == mesh.tets).all()
    assert (split.label[split.of_tet] == mesh.labels[:, None]).all()
    pairs = set(zip(split.node.tolist(), split.label.tolist(), strict=True))
    assert len(pairs) == len(split.node)
    touching = np.bincount(split.node)
    radius = np.linalg.norm(mesh.nodes, axis=1)
    between = (np.abs(radius - 0.06) < 1e-9) | (np.abs(radius - 0.08) < 1e-9)
    assert (touching[between] == 2).all()
    assert (touching[~between] == 1).all()


def test_harmonic_cubics_are_recovered_exactly_up_to_the_interfaces(mesh: TetMesh) -> None:
    split = split_nodes(mesh)
    x, y, z = mesh.nodes.T * 10
    V = np.stack([x * x - y * y - 2 * y * z + 0.3 * z, x**3 - 3 * x * z * z + x * y * z - y])
    x, y, z = mesh.nodes[split.node].T * 10
    exact = np.stack(
        [
            np.stack([2 * x, -2 * y - 2 * z, -2 * y + 0.3], 1),
            np.stack([3 * x * x - 3 * z * z + y * z, x * z - 1, -6 * x * z + x * y], 1),
        ]
    )
    assert np.abs(recover_gradient(mesh, split, V) / 10 - exact).max() < 1e-10


def test_all_quadratics_are_recovered_where_the_tissue_is_anisotropic(mesh: TetMesh) -> None:
    split = split_nodes(mesh)
    x, y, z = mesh.nodes.T
    V = x * x - 2 * y * z + 0.3 * z
    x, y, z = mesh.nodes[split.node].T
    exact = np.stack([2 * x, -2 * z, -2 * y + 0.3], 1)
    wrong = np.abs(recover_gradient(mesh, split, V, anisotropic=(2,))[0] - exact).max(1)
    assert wrong[split.label == 2].max() < 1e-10
    assert wrong[split.label != 2].max() > 1e-3  # x² is no potential of a scalar conductor


def test_a_kink_at_an_interface_stays_sharp(mesh: TetMesh) -> None:
    split = split_nodes(mesh)
    x, y, z = mesh.nodes.T
    core = np.hypot(np.hypot(x, y), z) < 0.06 + 1e-9
    V = np.where(core, x, 2 * x + y)  # the tangential field of the core does not fit the outside

    found = recover_gradient(mesh, split, V[None])[0]
    assert np.abs(found[split.label == 2] - [1.0, 0.0, 0.0]).max() < 1e-10
    scalp = split.label == 5
    assert np.abs(found[scalp] - [2.0, 1.0, 0.0]).max() < 1e-10


def test_some_rows_alone_are_as_in_the_whole(mesh: TetMesh) -> None:
    split = split_nodes(mesh)
    V = np.random.default_rng(1).standard_normal((2, len(mesh.nodes)))
    rows = np.flatnonzero(split.label == 4).astype(np.int32)[::3]
    some = recovery(mesh, split, rows=rows).gradient(V)
    assert (some == recover_gradient(mesh, split, V)[:, rows]).all()


def test_a_lone_tetrahedron_falls_back_on_the_mean(mesh: TetMesh) -> None:
    labels = mesh.labels.copy()
    labels[100] = 7
    alone = TetMesh(nodes=mesh.nodes, tets=mesh.tets, labels=labels)
    split = split_nodes(alone)
    slope = np.array([1.0, -2.0, 0.5])
    found = recover_gradient(alone, split, (mesh.nodes @ slope)[None])[0]
    assert np.abs(found - slope).max() < 1e-10
    assert (split.label == 7).sum() == 4
