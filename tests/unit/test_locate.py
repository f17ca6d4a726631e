"""Point location against brute force."""

from __future__ import annotations

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.meshes.locate import Locator, neighbours
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.mesher import mesh_spheres


@pytest.fixture(scope="module")
def shell() -> TetMesh:
    """Give a hollow sphere, as far from convex as a mesh gets."""
    ball = mesh_spheres([0.02, 0.03], [1, 2], 5e-3)
    kept = ball.tets[ball.labels == 2]
    used, tets = np.unique(kept, return_inverse=True)
    return TetMesh(
        nodes=ball.nodes[used],
        tets=tets.reshape(-1, 4).astype(np.int32),
        labels=np.full(len(kept), 2, np.int32),
    )


def brute(mesh: TetMesh, points: np.ndarray) -> np.ndarray:
    """Return the smallest barycentric coordinate of each point in each tetrahedron."""
    p = mesh.nodes[mesh.tets]
    inverse = np.linalg.inv((p[:, 1:] - p[:, :1]).transpose(0, 2, 1))
    rest = np.einsum("tij,ntj->nti", inverse, points[:, None] - p[None, :, 0])
    least: np.ndarray = np.minimum(rest.min(axis=2), 1 - rest.sum(axis=2))
    return least


def test_locate_agrees_with_brute_force(shell: TetMesh) -> None:
    points = np.random.default_rng(0).uniform(-0.032, 0.032, (500, 3))
    inside = brute(shell, points)
    for start in (None, 0, np.arange(500)):
        tet, weights = Locator(shell).locate(points, start=start)
        assert np.array_equal(tet >= 0, inside.max(axis=1) >= 0)
        found = tet >= 0
        assert (inside[found, tet[found]] >= -1e-9).all()
        assert np.isnan(weights[~found]).all()
        again = np.einsum("ni,nij->nj", weights[found], shell.nodes[shell.tets[tet[found]]])
        assert np.abs(again - points[found]).max() < 1e-15
    assert 0.3 < (tet >= 0).mean() < 0.7


def test_nodes_and_face_centres_are_found(shell: TetMesh) -> None:
    faces = shell.nodes[shell.boundary()].mean(axis=1)
    locator = Locator(shell)
    for points in (shell.nodes, faces):
        tet, weights = locator.locate(points)
        assert (tet >= 0).all()
        assert weights.min() > -1e-8


def test_neighbours_share_the_face_opposite(shell: TetMesh) -> None:
    near = neighbours(shell)
    assert near.shape == shell.tets.shape
    assert np.count_nonzero(near < 0) == len(shell.boundary())
    tet, side = np.nonzero(near >= 0)
    for i in range(4):
        chosen = side == i
        face = np.delete(shell.tets[tet[chosen]], i, axis=1)
        other = shell.tets[near[tet[chosen], i]]
        assert (face[:, :, None] == other[:, None, :]).any(axis=2).all()
        assert (near[near[tet[chosen], i]] == tet[chosen, None]).any(axis=1).all()


def test_bad_points(shell: TetMesh) -> None:
    with pytest.raises(InputError, match=r"shape \(n, 3\)"):
        Locator(shell).locate([1.0, 2.0, 3.0])
    with pytest.raises(InputError, match="finite"):
        Locator(shell).locate([[np.nan, 0.0, 0.0]])
