"""A part of a mesh, finer where that is wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_positive
from rheobase._progress import stage
from rheobase.meshes.mesh import TetMesh

#: Longest edge (m) that is wanted at points (n, 3), shape (n,); inf where any will do.
Wanted = Callable[[NDArray[np.float64]], NDArray[np.float64]]
MOST_NODES = 4_000_000


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Region:
    """A part of a mesh.

    Parameters
    ----------
    mesh
        The part.
    nodes
        Node of the whole mesh that each of its nodes is, -1 for new ones, shape (n_nodes,).
    tets
        Tetrahedron of the whole mesh that each of its tetrahedra is a piece of, shape (n_tets,).
    surface
        Outward triangles on the surface of the whole mesh, shape (n, 3).
    cut
        Outward triangles where the part was cut out of the whole, shape (m, 3).
    """

    mesh: TetMesh
    nodes: NDArray[np.int64]
    tets: NDArray[np.int64]
    surface: NDArray[np.int32]
    cut: NDArray[np.int32]


def region(
    mesh: TetMesh,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    *,
    wanted: Wanted | None = None,
) -> Region:
    """Take the tetrahedra with their centroid in a box out of a mesh, and refine them.

    Parameters
    ----------
    mesh
        The whole mesh.
    low, high
        Corners of the box (m), shape (3,); the whole mesh if both are None.
    wanted
        Longest edge wanted at each centroid (`near` makes one); none is split if None. Labels and
        interfaces stay what they are: edges are halved, the longest first.

    Returns
    -------
    Region
        The part; the nodes that it has in common with the whole come first.

    Raises
    ------
    InputError
        If the box is not a box or holds nothing, or the wanted edges take too many nodes.

    References
    ----------
    Rivara, Int J Numer Methods Eng 20:745 (1984), doi:10.1002/nme.1620200412 (longest edges).
    """
    chosen = np.arange(len(mesh.tets))
    if low is not None or high is not None:
        box = np.array([low, high], dtype=np.float64)
        if box.shape != (2, 3) or not np.isfinite(box).all() or not (box[0] < box[1]).all():
            raise InputError(f"expected a box from low to high (m), got {box.tolist()}")
        centroids = mesh.centroids()
        chosen = np.flatnonzero(((centroids > box[0]) & (centroids < box[1])).all(axis=1))
        if len(chosen) == 0:
            raise InputError(f"expected a box that holds part of the mesh, got {box.tolist()} m")
    old, tets = np.unique(mesh.tets[chosen], return_inverse=True)
    part = TetMesh(
        nodes=mesh.nodes[old], tets=tets.reshape(-1, 4).astype(np.int32), labels=mesh.labels[chosen]
    )
    parent = np.arange(len(chosen))
    if wanted is not None:
        with stage("refining"):
            part, parent = refined(part, wanted)
    nodes = np.full(len(part.nodes), -1, dtype=np.int64)
    nodes[: len(old)] = old
    parent = chosen[parent]
    faces, of = part.outer_faces()
    outer = _on_surface(mesh, part.nodes[faces].mean(axis=1), parent[of])
    return Region(mesh=part, nodes=nodes, tets=parent, surface=faces[outer], cut=faces[~outer])


def near(start: ArrayLike, end: ArrayLike, radius: float, edge: float) -> Wanted:
    """Return the wish for edges of at most ``edge`` (m) within ``radius`` (m) of a segment.

    Parameters
    ----------
    start, end
        Ends of the segment (m), shape (3,); the same point for a ball.
    radius, edge
        See above.

    Raises
    ------
    InputError
        If a number is not finite, or radius or edge not > 0.
    """
    check_positive("radius", radius)
    check_positive("edge", edge)
    a, b = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    if a.shape != (3,) or b.shape != (3,) or not np.isfinite([a, b]).all():
        raise InputError(f"expected two points (m), got {a.tolist()} and {b.tolist()}")
    along = b - a
    square = max(float(along @ along), 1e-300)

    def wish(points: NDArray[np.float64]) -> NDArray[np.float64]:
        s = np.clip((points - a) @ along / square, 0.0, 1.0)
        distance = np.linalg.norm(points - a - s[:, None] * along, axis=1)
        return np.where(distance <= radius, edge, np.inf)

    return wish


def refined(mesh: TetMesh, wanted: Wanted) -> tuple[TetMesh, NDArray[np.int64]]:
    """Halve longest edges until no tetrahedron has one longer than wanted at its centroid.

    Returns
    -------
    mesh : TetMesh
        Conforming; old nodes first.
    parent : ndarray, shape (n_tets,)
        Tetrahedron of the old mesh that each is a piece of.

    Raises
    ------
    InputError
        If that takes more than `MOST_NODES` nodes, or an edge wanted is not > 0.
    """
    from rheobase.meshes import _bisection_numba as kernel

    nodes, tets = mesh.nodes, mesh.tets
    parent = np.arange(len(tets))
    while True:
        edges, of_tet = kernel.edges_of_tets(tets, len(nodes))
        length = np.linalg.norm(nodes[edges[:, 1]] - nodes[edges[:, 0]], axis=1)
        most = wanted(nodes[tets].mean(axis=1))
        if not (most > 0).all():
            raise InputError(f"a wanted edge must be > 0 m, got {most.min():g}")
        split = kernel.edges_to_split(of_tet, length, most * (1 + 1e-9))
        if not split.any():
            break
        if len(nodes) + np.count_nonzero(split) > MOST_NODES:
            raise InputError(f"wanted edges take more than {MOST_NODES} nodes, choose longer ones")
        middle = np.full(len(edges), -1, dtype=np.int32)
        middle[split] = len(nodes) + np.arange(np.count_nonzero(split))
        nodes = np.concatenate([nodes, nodes[edges[split]].mean(axis=1)])
        tets, of = kernel.split(tets, of_tet, length, middle)
        parent = parent[of]
    return TetMesh(nodes=nodes, tets=tets, labels=mesh.labels[parent]), parent


def _on_surface(
    mesh: TetMesh, points: NDArray[np.float64], tets: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which points on faces of their tetrahedra of ``mesh`` are on its outer faces."""
    faces, of = mesh.outer_faces()
    opposite = mesh.tets[of].sum(axis=1, dtype=np.int64) - faces.sum(axis=1, dtype=np.int64)
    outer = of * len(mesh.nodes) + opposite
    corners = mesh.nodes[mesh.tets[tets]]
    shape = (corners[:, 1:] - corners[:, :1]).swapaxes(1, 2)
    inner = np.linalg.solve(shape, (points - corners[:, 0])[..., None])[..., 0]
    weights = np.column_stack([1 - inner.sum(axis=1), inner])
    face = mesh.tets[tets, weights.argmin(axis=1)].astype(np.int64)
    return np.isin(tets * len(mesh.nodes) + face, outer)
