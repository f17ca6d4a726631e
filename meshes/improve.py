"""Guarded improvement: nodes move onto the interfaces, along them and inside tissues.

No move may make the worst tetrahedron around a node worse than it was or than a floor, so the mesh
stays valid at every step. Nodes on an interface are projected onto the tie of the materials around
them (Gauss-Newton, least-norm step) and never leave it for quality; the other nodes move to the
volume-weighted mean of the centroids around them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rheobase.meshes.cut import CutMesh, Indicators

#: Moves for smoothness may lower the smallest dihedral angle to this (°), no further.
SMOOTH_FLOOR = 20.0
#: Moves onto an interface may lower it to this (°).
FIT_FLOOR = 12.0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Surroundings:
    """What is around each node of a mesh, fixed while nodes move."""

    tets: NDArray[np.int32]
    first: NDArray[np.int64]
    members: NDArray[np.int32]
    found: NDArray[np.int32]
    number: NDArray[np.uint8]
    walls: NDArray[np.uint8]
    triangles: NDArray[np.int32]


def improve(
    mesh: CutMesh,
    indicators: Indicators,
    edge_length: float,
    *,
    sweeps: int = 3,
    aim: float = 10.0,
    rounds: int = 12,
) -> NDArray[np.float64]:
    """Return better node positions.

    Parameters
    ----------
    mesh
        The cut lattice.
    indicators
        The functions that define the interfaces.
    edge_length
        Mean edge of the smallest lattice tetrahedra (m); scales differences and random steps.
    sweeps
        Sweeps of smoothing.
    aim
        Tetrahedra whose smallest dihedral angle is below this (°) get extra attempts.
    rounds
        Number of those attempts.

    Returns
    -------
    ndarray, shape (n_nodes, 3)
    """
    from rheobase.meshes._improve_numba import interior_targets, qualities, relax

    inside = mesh.material > 0
    around = _surroundings(mesh, inside)
    nodes = mesh.nodes.copy()
    on = np.flatnonzero((around.number >= 2) & (around.first[1:] > around.first[:-1]))
    ring = np.zeros(len(nodes), np.bool_)
    ring[on] = True
    ring[around.tets[ring[around.tets].any(axis=1)]] = True
    free = np.flatnonzero(ring & (around.number == 1))
    incident = (around.tets, around.first, around.members)

    def fit(points: NDArray[np.float64], which: NDArray[np.int64]) -> NDArray[np.float64]:
        return project(points, around, which, indicators, edge_length)

    crossing = on[around.number[on] > 2]
    target = fit(nodes[crossing], crossing)
    relax(nodes, *incident, crossing, target, np.ones(len(crossing), np.bool_), _sine(FIT_FLOOR))
    for _ in range(sweeps):
        target = fit(_tangential(nodes, around, on), on)
        relax(nodes, *incident, on, target, np.ones(len(on), np.bool_), _sine(SMOOTH_FLOOR))
        target = np.empty((len(free), 3))
        interior_targets(nodes, *incident, around.walls, free, target)
        relax(nodes, *incident, free, target, np.zeros(len(free), np.bool_), _sine(45.0))

    rng = np.random.default_rng(0)
    for n in range(rounds):
        bad = qualities(nodes, around.tets) < _sine(aim)
        if not bad.any():
            break
        which = np.unique(around.tets[bad]).astype(np.int64)
        step = rng.normal(scale=edge_length * (0.2, 0.1, 0.05)[n % 3], size=(len(which), 3))
        step[(around.walls[which, None] & [1, 2, 4]) > 0] = 0.0
        target = nodes[which] + step
        tied = around.number[which] >= 2
        target[tied] = fit(target[tied], which[tied])
        relax(nodes, *incident, which, target, np.ones(len(which), np.bool_), 2.0)
    return nodes


def _sine(degrees: float) -> float:
    return float(np.sin(np.radians(degrees)))


def _surroundings(mesh: CutMesh, inside: NDArray[np.bool_]) -> _Surroundings:
    from rheobase.meshes._improve_numba import incidence, node_materials

    found, number = node_materials(mesh.tets, mesh.material, len(mesh.nodes))
    tets = mesh.tets[inside]
    first, members = incidence(tets, len(mesh.nodes))
    return _Surroundings(
        tets=tets,
        first=first,
        members=members,
        found=found,
        number=number,
        walls=mesh.walls,
        triangles=interface_triangles(mesh.tets, mesh.material, number >= 2)[0],
    )


def interface_triangles(
    tets: NDArray[np.int32], material: NDArray[np.int32], on: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the triangles between tetrahedra of different material.

    Parameters
    ----------
    tets, material
        The mesh, background included.
    on
        Which nodes touch more than one material.

    Returns
    -------
    triangles
        Node indices, shape (n, 3).
    pairs
        The two materials of each, shape (n, 2).
    """
    faces = tets[:, [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]]
    chosen = on[faces].all(axis=2)
    owner = np.broadcast_to(material[:, None], chosen.shape)[chosen]
    faces = np.sort(faces[chosen], axis=1)
    order = np.lexsort((faces[:, 2], faces[:, 1], faces[:, 0]))
    faces, owner = faces[order], owner[order]
    pair = (faces[1:] == faces[:-1]).all(axis=1) & (owner[1:] != owner[:-1])
    return faces[:-1][pair], np.column_stack([owner[:-1][pair], owner[1:][pair]])


def _tangential(
    nodes: NDArray[np.float64], around: _Surroundings, which: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the mean of the neighbours on the same interface, halfway from each node."""
    from rheobase.meshes._improve_numba import interface_sums

    sums, n = np.zeros_like(nodes), np.zeros(len(nodes), np.int64)
    interface_sums(nodes, around.triangles, around.found, around.number, sums, n)
    here = nodes[which]
    mean = np.where(n[which, None] > 0, sums[which] / np.maximum(n[which, None], 1), here)
    # a node on a wall keeps to it
    mean = np.where((around.walls[which, None] & [1, 2, 4]) > 0, here, mean)
    target: NDArray[np.float64] = 0.5 * (here + mean)
    return target


def project(
    points: NDArray[np.float64],
    around: _Surroundings,
    which: NDArray[np.int64],
    indicators: Indicators,
    edge_length: float,
) -> NDArray[np.float64]:
    """Return points moved onto the tie of the materials around the nodes ``which``.

    One Gauss-Newton step with central differences and two more with the same gradients; steps are
    limited to half an edge. Nodes with more than four materials stay.
    """
    out = points.copy()
    if len(points) == 0:
        return out
    delta = 0.05 * edge_length
    gradient = np.stack(
        [
            (indicators(points + e) - indicators(points - e)) / (2 * delta)
            for e in delta * np.eye(3)
        ],
        axis=1,
    )
    gradient *= ((around.walls[which, None] & [1, 2, 4]) == 0)[:, :, None]
    for k in (2, 3, 4):
        rows = np.flatnonzero(around.number[which] == k)
        if len(rows) == 0:
            continue
        m = around.found[which[rows], :k]
        g = np.take_along_axis(gradient[rows], m[:, None, :].astype(np.int64), axis=2)
        J = (g[:, :, 1:] - g[:, :, :1]).transpose(0, 2, 1)  # (n, k - 1, 3)
        gram = J @ J.transpose(0, 2, 1)
        scale = np.trace(gram, axis1=1, axis2=2)
        gram += (1e-3 * scale + 1e-300)[:, None, None] * np.eye(k - 1) * (k > 2)
        gram[scale == 0] = np.eye(k - 1)
        for _ in range(3):
            f = np.take_along_axis(indicators(out[rows]), m.astype(np.int64), axis=1)
            r = f[:, 1:] - f[:, :1]
            step = -np.einsum("nki,nk->ni", J, np.linalg.solve(gram, r[:, :, None])[:, :, 0])
            length = np.linalg.norm(step, axis=1)
            step *= np.minimum(1.0, 0.5 * edge_length / np.maximum(length, 1e-300))[:, None]
            out[rows] += step
    return out
