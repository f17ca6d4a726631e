"""What a mesh is worth: counts, dihedral angles, volumes, edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rheobase.meshes.mesh import TetMesh

#: Local vertices of the six edges of a tetrahedron, and of the edge opposite to each.
_EDGES = np.array([[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]])
_OPPOSITE = _EDGES[::-1]


@dataclass(frozen=True, kw_only=True, slots=True)
class Quality:
    """Quality of a tetrahedral mesh.

    Parameters
    ----------
    n_nodes, n_tets, n_inverted
        Counts; inverted are tetrahedra whose volume is not > 0.
    min_dihedral, p1_dihedral, median_dihedral
        Smallest, first percentile and median over tetrahedra of the smallest dihedral angle (°).
    max_dihedral
        Largest dihedral angle (°).
    min_edge, mean_edge, max_edge
        Edge lengths (m), each edge counted once for each tetrahedron around it.
    volumes
        Volume of each label (m³).
    n_open_faces
        Faces with one tetrahedron (the boundary).
    n_bad_faces
        Faces with more than two tetrahedra; 0 in a conforming mesh.
    """

    n_nodes: int
    n_tets: int
    n_inverted: int
    min_dihedral: float
    p1_dihedral: float
    median_dihedral: float
    max_dihedral: float
    min_edge: float
    mean_edge: float
    max_edge: float
    volumes: dict[int, float]
    n_open_faces: int
    n_bad_faces: int

    def __str__(self) -> str:
        """Return a table for people (mm and cm³)."""
        rows = [
            ("tetrahedra", f"{self.n_tets:,}"),
            ("nodes", f"{self.n_nodes:,}"),
            ("inverted", f"{self.n_inverted}"),
            ("boundary faces", f"{self.n_open_faces:,}"),
            ("faces with > 2 tetrahedra", f"{self.n_bad_faces}"),
            (
                "smallest dihedral angle",
                f"min {self.min_dihedral:.1f}°, 1 % {self.p1_dihedral:.1f}°, "
                f"median {self.median_dihedral:.1f}°",
            ),
            ("largest dihedral angle", f"{self.max_dihedral:.1f}°"),
            (
                "edge",
                f"min {self.min_edge * 1e3:.2f} mm, mean {self.mean_edge * 1e3:.2f} mm, "
                f"max {self.max_edge * 1e3:.2f} mm",
            ),
        ]
        rows += [(f"volume of label {k}", f"{v * 1e6:.2f} cm³") for k, v in self.volumes.items()]
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def dihedral_angles(nodes: NDArray[np.float64], tets: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return the six dihedral angles (°) of each tetrahedron, at its edges 01 02 03 12 13 23.

    Examples
    --------
    >>> corner = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    >>> dihedral_angles(corner, np.array([[0, 1, 2, 3]])).round(1).tolist()
    [[90.0, 90.0, 90.0, 54.7, 54.7, 54.7]]
    """
    p = nodes[tets]
    angles = np.empty((len(tets), 6))
    for n in range(6):
        i, j = _EDGES[n]
        k, m = _OPPOSITE[n]
        along = p[:, j] - p[:, i]
        u = np.cross(along, p[:, k] - p[:, i])
        v = np.cross(along, p[:, m] - p[:, i])
        sine = np.linalg.norm(np.cross(u, v), axis=1)
        angles[:, n] = np.degrees(np.arctan2(sine, np.einsum("ij,ij->i", u, v)))
    return angles


def quality(mesh: TetMesh) -> Quality:
    """Measure a mesh.

    Parameters
    ----------
    mesh
        The mesh.

    Returns
    -------
    Quality
    """
    from rheobase.meshes._faces_numba import count_faces, face_table, measure

    everywhere = np.ones(len(mesh.nodes), np.bool_)
    middle, high, _, first = face_table(mesh.tets, len(mesh.nodes), everywhere)
    single, many = count_faces(middle, high, first)
    smallest = np.empty(len(mesh.tets))
    largest, shortest, mean, longest, inverted = measure(mesh.nodes, mesh.tets, smallest)
    return Quality(
        n_nodes=len(mesh.nodes),
        n_tets=len(mesh.tets),
        n_inverted=int(inverted),
        min_dihedral=float(smallest.min()),
        p1_dihedral=float(np.percentile(smallest, 1)),
        median_dihedral=float(np.median(smallest)),
        max_dihedral=float(largest),
        min_edge=float(shortest),
        mean_edge=float(mean),
        max_edge=float(longest),
        volumes=mesh.tissue_volumes(),
        n_open_faces=int(single),
        n_bad_faces=int(many),
    )
