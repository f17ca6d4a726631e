"""Parts of meshes and their refinement."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.mesher import mesh_spheres
from rheobase.meshes.quality import quality
from rheobase.meshes.region import near, region


@pytest.fixture(scope="module")
def ball() -> TetMesh:
    return mesh_spheres((0.02, 0.025), (2, 5), 4e-3)


def area(mesh: TetMesh, faces: NDArray[np.int32]) -> float:
    a, b, c = mesh.nodes[faces].swapaxes(0, 1)
    return float(0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1).sum())


def test_refinement_keeps_the_mesh_conforming_and_its_tissues(ball: TetMesh) -> None:
    whole = region(ball, wanted=near([0, 0, 0.022], [0, 0, 0.012], 6e-3, 1.2e-3))
    mesh = whole.mesh
    q = quality(mesh)
    assert q.n_bad_faces == 0
    assert q.min_dihedral > 8
    for label, volume in ball.tissue_volumes().items():
        assert mesh.tissue_volumes()[label] == pytest.approx(volume, rel=1e-12)
    assert (mesh.labels == ball.labels[whole.tets]).all()
    assert (mesh.nodes[: len(ball.nodes)] == ball.nodes).all()
    assert (whole.nodes >= 0).sum() == len(ball.nodes)
    corners = mesh.nodes[mesh.tets]
    edges = corners[:, [0, 0, 0, 1, 1, 2]] - corners[:, [1, 2, 3, 2, 3, 3]]
    length = np.linalg.norm(edges, axis=2).max(axis=1)
    wish = near([0, 0, 0.022], [0, 0, 0.012], 6e-3, 1.2e-3)(mesh.centroids())
    assert (length <= wish * (1 + 1e-9)).all()
    assert len(whole.cut) == 0
    assert area(mesh, whole.surface) == pytest.approx(area(ball, ball.boundary()), rel=1e-12)


def test_a_box_has_the_old_surface_and_a_cut_one(ball: TetMesh) -> None:
    low, high = np.array([-1, -1, 1.1e-3]), np.array([1, 1, 1])
    half = region(ball, low, high, wanted=near([0, 0, 0.02], [0, 0, 0.02], 5e-3, 2e-3))
    rest = region(ball, -high, np.array([1, 1, 1.1e-3]))
    assert sum(half.mesh.tissue_volumes().values()) + sum(
        rest.mesh.tissue_volumes().values()
    ) == pytest.approx(sum(ball.tissue_volumes().values()), rel=1e-12)
    assert area(half.mesh, half.surface) + area(rest.mesh, rest.surface) == pytest.approx(
        area(ball, ball.boundary()), rel=1e-12
    )
    assert area(half.mesh, half.cut) == pytest.approx(area(rest.mesh, rest.cut), rel=1e-12)
    old = half.nodes >= 0
    assert (half.mesh.nodes[old] == ball.nodes[half.nodes[old]]).all()


def test_bad_boxes_and_wishes_are_refused(ball: TetMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rheobase.meshes.region.MOST_NODES", 10_000)
    with pytest.raises(InputError, match="box from low to high"):
        region(ball, [0, 0, 0], [1, 1, float("nan")])
    with pytest.raises(InputError, match="holds part of the mesh"):
        region(ball, [1, 1, 1], [2, 2, 2])
    with pytest.raises(InputError, match="edge must be > 0"):
        near([0, 0, 0], [0, 0, 1], 0.01, 0.0)
    with pytest.raises(InputError, match="two points"):
        near([0, 0], [0, 0, 1], 0.01, 0.1)
    with pytest.raises(InputError, match="wanted edge must be > 0"):
        region(ball, wanted=lambda x: np.zeros(len(x)))
    with pytest.raises(InputError, match="more than"):
        region(ball, wanted=near([0, 0, 0], [0, 0, 0], 0.02, 1e-3))
