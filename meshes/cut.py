"""Cutting a lattice along the interfaces between materials.

An edge whose ends differ in material has one cut, where the two indicators tie. A vertex with a cut
close by moves onto it, which removes the cuts of all its edges (isosurface stuffing, Labelle &
Shewchuk 2007, doi:10.1145/1276377.1276448; for many materials: lattice cleaving, Bronson, Levine &
Whitaker 2014, doi:10.1109/TVCG.2013.115). What is left is split by bisecting the cut edges in one
global order, each tetrahedron on its own, which keeps the mesh conforming.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Values of the material indicators at points: (n, 3) in metres to (n, n_materials).
Indicators = Callable[[NDArray[np.float64]], NDArray[np.float64]]

#: A cut closer to a vertex than this part of its edge snaps it, for axis-parallel (long) lattice
#: edges and for the others (Labelle & Shewchuk 2007, table 1: .24999 and .41189).
SNAP_LONG = 0.25
SNAP_SHORT = 0.41


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CutMesh:
    """A cut lattice, background included.

    Parameters
    ----------
    nodes
        Coordinates (m), lattice nodes first, then cuts, shape (n, 3).
    tets
        Node indices, positively oriented, shape (n_tets, 4).
    material
        Material of each tetrahedron, shape (n_tets,).
    parent
        The lattice tetrahedron each came from, shape (n_tets,).
    walls
        Axes (bits 1, 2, 4) in which each node is bound to the wall of the box.
    edges, at
        The two lattice nodes of each cut edge, lower first, shape (n_cuts, 2), and where along it
        the cut was made, shape (n_cuts,); cut n is node ``len(snapped) + n``.
    snapped
        Which lattice nodes moved onto an interface, shape (n_lattice,).
    """

    nodes: NDArray[np.float64]
    tets: NDArray[np.int32]
    material: NDArray[np.int32]
    parent: NDArray[np.int32]
    walls: NDArray[np.uint8]
    edges: NDArray[np.int32]
    at: NDArray[np.float64]
    snapped: NDArray[np.bool_]


def cut_lattice(
    nodes: NDArray[np.float64],
    tets: NDArray[np.int32],
    values: NDArray[np.float64],
    indicators: Indicators,
    walls: NDArray[np.uint8],
    frozen: NDArray[np.bool_],
) -> CutMesh:
    """Cut a lattice so that no tetrahedron has vertices inside two materials.

    Parameters
    ----------
    nodes, tets
        The lattice.
    values
        Indicators at the nodes, shape (n_nodes, n_materials).
    indicators
        The same at any point.
    walls
        Axes in which nodes are bound to the wall of the box, shape (n_nodes,).
    frozen
        Nodes that stay where they are and count as lying on the interface, shape (n_nodes,).

    Returns
    -------
    CutMesh
    """
    from rheobase.meshes._cut_numba import EDGES, snap, subdivide

    material = values.argmax(axis=1).astype(np.int32)
    of_tet = material[tets]
    mixed = (of_tet != of_tet[:, :1]).any(axis=1)
    plain, split = np.flatnonzero(~mixed), np.flatnonzero(mixed)
    ends = np.sort(tets[split][:, EDGES], axis=2).astype(np.int64)  # (n, 6, 2)
    differ = material[ends[..., 0]] != material[ends[..., 1]]
    keys, inverse = np.unique(
        ends[..., 0][differ] * len(nodes) + ends[..., 1][differ], return_inverse=True
    )
    edges = np.column_stack([keys // len(nodes), keys % len(nodes)])
    t = _ties(nodes, edges, material, values, indicators)

    moved = nodes[edges[:, 1]] - nodes[edges[:, 0]]
    length = np.linalg.norm(moved, axis=1)
    is_long = np.abs(moved).max(axis=1) > 0.9 * length
    wild = frozen.copy()
    snapped = np.full(len(nodes), -1, np.int64)
    limit = np.where(is_long, SNAP_LONG, SNAP_SHORT)
    near = np.minimum(t, 1.0 - t)
    snap(np.argsort(near, kind="stable"), edges, t, limit, frozen, walls, wild, snapped)
    points = nodes[edges[:, 0]] + t[:, None] * moved
    warped = nodes.copy()
    has = snapped >= 0
    warped[has] = points[snapped[has]]

    alive = ~(wild[edges[:, 0]] | wild[edges[:, 1]])
    number = np.where(alive, np.cumsum(alive) - 1, -1)
    cut = np.full(differ.shape, -1, np.int64)
    cut[differ] = number[inverse]
    middle = np.abs(t[alive] - 0.5)
    rank = np.empty(len(middle), np.int64)
    rank[np.lexsort((middle, ~is_long[alive]))] = np.arange(len(middle))

    arguments = (tets[split], cut, rank, wild, material, len(nodes))
    none = np.empty(0, np.int32)
    count = subdivide(*arguments, np.empty((0, 4), np.int32), none, none)
    pieces = np.empty((count, 4), np.int32)
    label, parent = np.empty(count, np.int32), np.empty(count, np.int32)
    subdivide(*arguments, pieces, label, parent)
    all_nodes = np.concatenate([warped, points[alive]])
    unknown = np.flatnonzero(label < 0)
    if len(unknown):
        centroids = all_nodes[pieces[unknown]].mean(axis=1)
        label[unknown] = indicators(centroids).argmax(axis=1)
    return CutMesh(
        nodes=all_nodes,
        tets=np.concatenate([tets[plain], pieces]),
        material=np.concatenate([of_tet[plain, 0], label]).astype(np.int32),
        parent=np.concatenate([plain, split[parent]]).astype(np.int32),
        walls=np.concatenate([walls, walls[edges[alive, 0]] & walls[edges[alive, 1]]]),
        edges=edges[alive].astype(np.int32),
        at=t[alive],
        snapped=has,
    )


def _ties(
    nodes: NDArray[np.float64],
    edges: NDArray[np.int64],
    material: NDArray[np.int32],
    values: NDArray[np.float64],
    indicators: Indicators,
    steps: int = 8,
) -> NDArray[np.float64]:
    """Return where along each edge the indicators of its end materials tie (Illinois method)."""
    a, b = material[edges[:, 0]], material[edges[:, 1]]
    row = np.arange(len(edges))
    low, high = np.zeros(len(edges)), np.ones(len(edges))
    g_low = values[edges[:, 0], a] - values[edges[:, 0], b]
    g_high = values[edges[:, 1], a] - values[edges[:, 1], b]
    start, along = nodes[edges[:, 0]], nodes[edges[:, 1]] - nodes[edges[:, 0]]
    t = np.full(len(edges), 0.5)
    last = np.zeros(len(edges))
    for _ in range(steps):
        span = g_low - g_high
        t = np.where(span > 0, low + (high - low) * g_low / np.where(span > 0, span, 1.0), 0.5)
        f = indicators(start + t[:, None] * along)
        g = f[row, a] - f[row, b]
        up = g > 0
        low, high = np.where(up, t, low), np.where(up, high, t)
        # halve the end that stays for the second time
        g_high = np.where(up, np.where(last > 0, 0.5 * g_high, g_high), g)
        g_low = np.where(up, g, np.where(last < 0, 0.5 * g_low, g_low))
        last = np.where(up, 1.0, -1.0)
    clipped: NDArray[np.float64] = np.clip(t, 0.0, 1.0)
    return clipped
