"""What is wrong with a mesh: checked face by face, without trusting what made it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.quality import dihedral_angles

#: Smallest dihedral angle of a sound mesh (°), and that of its first percentile of tetrahedra.
MIN_DIHEDRAL = 5.0
P1_DIHEDRAL = 12.0

#: Faces of a positive tetrahedron, each counter-clockwise from outside.
_FACES = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])


def faults(mesh: TetMesh) -> list[str]:
    """Return one sentence for each thing that is wrong with a mesh; nothing if it is sound.

    Sound is: every volume positive; every face in one or two tetrahedra, in opposite senses;
    every edge of every tissue's boundary in an even number of its triangles; no part of the mesh
    inside another; no node without tetrahedron; dihedral angles of `MIN_DIHEDRAL` or more,
    `P1_DIHEDRAL` for all but 1 % of the tetrahedra.
    """
    found = []
    flat = int(np.count_nonzero(~(mesh.volumes() > 0)))
    if flat:
        found.append(f"{flat} tetrahedra have no volume > 0")
    least = dihedral_angles(mesh.nodes, mesh.tets).min(axis=1)
    if not least.min() >= MIN_DIHEDRAL:
        found.append(f"smallest dihedral angle {least.min():.2f}°")
    p1 = float(np.percentile(least, 1))
    if not p1 >= P1_DIHEDRAL:
        found.append(f"first percentile of dihedral angles {p1:.2f}°")
    unused = len(mesh.nodes) - len(np.unique(mesh.tets))
    if unused:
        found.append(f"{unused} nodes without tetrahedron")
    found += _face_faults(mesh)
    for label in np.unique(mesh.labels):
        odd = open_edges(_boundary(mesh.tets[mesh.labels == label]))
        if odd:
            found.append(f"surface of label {label} open at {odd} edges")
    inside = overlaps(mesh)
    if inside:
        found.append(f"{inside} boundary points inside other tetrahedra")
    return found


def _face_faults(mesh: TetMesh) -> list[str]:
    """Check that each face is in one tetrahedron, or in two and in opposite senses."""
    faces = mesh.tets[:, _FACES].reshape(-1, 3).astype(np.int64)
    order = np.argsort(faces, axis=1)
    even = (order[:, 1] - order[:, 0]) % 3 == 1  # an even permutation keeps the sense
    which = _numbered(np.take_along_axis(faces, order, axis=1))[1]
    count, sense = np.bincount(which), np.bincount(which, weights=2 * even - 1)
    found = []
    if (count > 2).any():
        found.append(f"{np.count_nonzero(count > 2)} faces in more than two tetrahedra")
    if (sense[count == 2] != 0).any():
        found.append(f"{np.count_nonzero(sense[count == 2])} faces with both sides in one sense")
    return found


def _boundary(tets: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the faces with one tetrahedron, shape (n, 3)."""
    faces = np.sort(tets[:, _FACES].reshape(-1, 3).astype(np.int64), axis=1)
    first, which = _numbered(faces)
    boundary: NDArray[np.int64] = faces[first[np.bincount(which) == 1]]
    return boundary


def _numbered(rows: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first place of each different row, and for each row which of them it is."""
    key = rows[:, 0]
    for column in rows.T[1:]:  # renumbered each time, so that no product overflows
        key = np.unique(key, return_inverse=True)[1] * (rows.max() + 1) + column
    _, first, which = np.unique(key, return_index=True, return_inverse=True)
    return first, which


def open_edges(triangles: NDArray[np.int64]) -> int:
    """Return how many edges an odd number of the triangles share."""
    edges = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    return int(np.count_nonzero(np.bincount(_numbered(edges)[1]) % 2))


def overlaps(mesh: TetMesh) -> int:
    """Return how many boundary nodes and face centres lie inside a tetrahedron of the mesh.

    Where all tetrahedra are positive and conforming, parts can overlap only across the boundary.
    """
    from scipy.spatial import cKDTree

    faces = _boundary(mesh.tets)
    points = np.concatenate([mesh.nodes[np.unique(faces)], mesh.nodes[faces].mean(axis=1)])
    tree = cKDTree(points)
    centre = mesh.centroids()
    reach = np.linalg.norm(mesh.nodes[mesh.tets] - centre[:, None], axis=2).max(axis=1)
    inside = np.zeros(len(points), np.bool_)
    for some in np.array_split(np.arange(len(centre)), 1 + len(centre) // 200_000):
        many = tree.query_ball_point(centre[some], reach[some], return_length=True)
        near = tree.query_ball_point(centre[some[many > 0]], reach[some[many > 0]])
        tet = np.repeat(some, many)
        point = np.array([hit for hits in near for hit in hits], np.int64)
        p = points[point]
        a, b, c, d = (mesh.nodes[mesh.tets[tet, n]] for n in range(4))
        # a point is inside if it lies on the inner side of each face, by more than round-off
        least = np.full(len(p), np.inf)
        for x, y, z, other in ((a, b, c, d), (a, d, b, c), (a, c, d, b), (b, d, c, a)):
            normal = np.cross(y - x, z - x)
            height = np.einsum("ij,ij->i", normal, p - x) / np.einsum("ij,ij->i", normal, other - x)
            least = np.minimum(least, height)
        inside[point[least > 1e-9]] = True
    return int(np.count_nonzero(inside))
