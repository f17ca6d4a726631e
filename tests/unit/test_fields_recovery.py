"""Recovery of the gradient: exact on polynomials, never across tissues."""

import numpy as np
import pytest

from rheobase.fields.recovery import average_gradient, recover_gradient, split_nodes
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


def test_quadratics_are_recovered_exactly_up_to_the_interfaces(mesh: TetMesh) -> None:
    split = split_nodes(mesh)
    x, y, z = mesh.nodes.T
    V = np.stack([x * x - 2 * y * z + 0.3 * z, 0.1 * x - y * y + x * z])
    p = mesh.nodes[split.node]
    one = np.ones(len(p))
    exact = np.stack(
        [
            np.stack([2 * p[:, 0], -2 * p[:, 2], -2 * p[:, 1] + 0.3 * one], 1),
            np.stack([0.1 * one + p[:, 2], -2 * p[:, 1], p[:, 0]], 1),
        ]
    )
    assert np.abs(recover_gradient(mesh, split, V) - exact).max() < 1e-10
    assert np.abs(average_gradient(mesh, split, V) - exact).max() > 1e-4


def test_a_kink_at_an_interface_stays_sharp(mesh: TetMesh) -> None:
    split = split_nodes(mesh)
    r = np.linalg.norm(mesh.nodes, axis=1)
    V = np.where(r < 0.06, 0.0, 1.0) * (r**2 - 0.06**2)  # zero in the core, quadratic outside
    found = recover_gradient(mesh, split, V[None])[0]
    core = split.label == 2
    assert np.abs(found[core]).max() < 1e-12
    outer = split.label == 4
    assert np.allclose(found[outer], 2 * mesh.nodes[split.node[outer]], atol=1e-10)


def test_a_lone_tetrahedron_falls_back_on_the_mean(mesh: TetMesh) -> None:
    labels = mesh.labels.copy()
    labels[100] = 7
    alone = TetMesh(nodes=mesh.nodes, tets=mesh.tets, labels=labels)
    split = split_nodes(alone)
    slope = np.array([1.0, -2.0, 0.5])
    found = recover_gradient(alone, split, (mesh.nodes @ slope)[None])[0]
    assert np.abs(found - slope).max() < 1e-10
    assert (split.label == 7).sum() == 4
