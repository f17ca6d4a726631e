"""Cutting a lattice along the interfaces between materials.

An edge whose ends differ in material has one cut, where the two indicators tie. A vertex with a cut
close by moves onto it, which removes the cuts of all its edges (isosurface stuffing, Labelle &
Shewchuk 2007, doi:10.1145/1276377.1276448; for many materials: lattice cleaving, Bronson, Levine &
Whitaker 2014, doi:10.1109/TVCG.2013.115). What is left is split by bisecting the cut edges in one
global order, each tetrahedron on its own, which keeps the mesh conforming.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rheobase._threads import in_parts
from rheobase.meshes.carving.indicators import Indicators

#: A cut closer to a vertex than this part of its edge snaps it, for axis-parallel (long) lattice
#: edges and for the others (Labelle & Shewchuk 2007, table 1: .24999 and .41189).
SNAP_LONG = 0.25
SNAP_SHORT = 0.41
#: No cut is closer than this part of its edge to a vertex that keeps its material.
KEEP = 0.3
#: A tie is found where the indicators (about 1 per voxel, or metres) differ by less than this
#: part of their difference at the ends of the edge.
TIE = 1e-6


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
    kept
        Which keep their material, because a layer or a speck would have a hole without them.
    mixed, ties
        All lattice edges between two materials, lower node first, rising, shape (n_mixed, 2), and
        where the indicators tie on each, shape (n_mixed,).
    """

    nodes: NDArray[np.float64]
    tets: NDArray[np.int32]
    material: NDArray[np.int32]
    parent: NDArray[np.int32]
    walls: NDArray[np.uint8]
    edges: NDArray[np.int32]
    at: NDArray[np.float64]
    snapped: NDArray[np.bool_]
    kept: NDArray[np.bool_]
    mixed: NDArray[np.int32]
    ties: NDArray[np.float64]


def cut_lattice(
    nodes: NDArray[np.float64],
    tets: NDArray[np.int32],
    material: NDArray[np.int32],
    indicators: Indicators,
    walls: NDArray[np.uint8],
    frozen: NDArray[np.bool_],
    *,
    kept: NDArray[np.bool_] | None = None,
    held: NDArray[np.bool_] | None = None,
    given: tuple[NDArray[np.int32], NDArray[np.float64]] | None = None,
    known: tuple[NDArray[np.int32], NDArray[np.float64]] | None = None,
) -> CutMesh:
    """Cut a lattice so that no tetrahedron has vertices inside two materials.

    Parameters
    ----------
    nodes, tets
        The lattice.
    material
        Material of each node, shape (n_nodes,).
    indicators
        What decides where along an edge the cut is. It depends on nothing but that edge.
    walls
        Axes in which nodes are bound to the wall of the box, shape (n_nodes,).
    frozen
        Nodes that stay where they are and count as lying on the interface, shape (n_nodes,).
    kept
        Nodes that keep their place and their material, with cuts at least ``KEEP`` of an edge away.
    held
        Nodes that keep their place; cuts may come close.
    given
        Edges (k, 2), lower node first, that are cut where they were before, and where (k,).
    known
        Edges, rising, whose ties are known from an earlier cut (`CutMesh.mixed`, ``ties``).

    Returns
    -------
    CutMesh
    """
    from rheobase.meshes.carving._closing_numba import thin_nodes
    from rheobase.meshes.carving._cut_numba import mixed_edges, snap, subdivide

    n = len(nodes)
    kept = np.zeros(n, np.bool_) if kept is None else kept
    split, numbers, edges, alone = mixed_edges(tets, material)
    plain = np.ones(len(tets), np.bool_)
    plain[split] = False
    plain = np.flatnonzero(plain).astype(np.int32)
    low, high = edges[:, 0], edges[:, 1]
    start, along = nodes[low], nodes[high] - nodes[low]
    pair = np.column_stack([material[low], material[high]])
    found = np.empty(len(edges))
    fresh = np.ones(len(edges), np.bool_)
    if known is not None:
        place, match = _rows(known[0], edges, n)
        found[match], fresh[match] = known[1][place[match]], False
    rows = np.flatnonzero(fresh)

    def find(some: slice) -> None:
        mine = rows[some]
        found[mine] = ties(start[mine], along[mine], pair[mine], indicators)

    in_parts(find, len(rows))
    t = found
    length = np.sqrt((along * along).sum(axis=1))
    is_long = np.abs(along).max(axis=1) > 0.9 * length
    wild = frozen.copy()
    snapped = np.full(n, -1, np.int64)
    limit = np.where(is_long, SNAP_LONG, SNAP_SHORT)
    kept = kept | (alone & (material > 0))
    asked = kept.copy()
    thin_nodes(nodes, material, edges, t, limit, kept)
    if held is not None:
        kept[held] = asked[held]
    t = np.clip(t, np.where(kept[low], KEEP, 0.0), np.where(kept[high], 1.0 - KEEP, 1.0))
    if given is not None:
        place, match = _rows(edges, given[0], n)
        t[place[match]] = given[1][match]
    near = np.minimum(t, 1.0 - t)
    still = frozen | kept if held is None else frozen | kept | held
    snap(np.argsort(near, kind="stable"), edges, t, limit, still, walls, wild, snapped)
    points = start + t[:, None] * along
    warped = nodes.copy()
    has = snapped >= 0
    warped[has] = points[snapped[has]]

    alive = ~(wild[low] | wild[high])
    number = np.where(alive, np.cumsum(alive) - 1, -1)
    cut = np.where(numbers >= 0, number[numbers], -1)
    middle = np.abs(t[alive] - 0.5)
    rank = np.empty(len(middle), np.int64)
    rank[np.lexsort((middle, ~is_long[alive]))] = np.arange(len(middle))

    crossed, none = tets[split], np.empty(0, np.int32)

    def pieces_of(some: slice) -> tuple[NDArray[np.int32], ...]:
        given = (crossed[some], cut[some], rank, wild, material, n)
        count = subdivide(*given, np.empty((0, 4), np.int32), none, none)
        made = np.empty((count, 4), np.int32), np.empty(count, np.int32), np.empty(count, np.int32)
        subdivide(*given, *made)
        return made[0], made[1], made[2] + np.int32(some.start)

    parts = in_parts(pieces_of, len(split)) or [(crossed, none, none)]
    pieces, label, parent = (np.concatenate([part[k] for part in parts]) for k in range(3))
    all_nodes = np.concatenate([warped, points[alive]])
    unknown = np.flatnonzero(label < 0)
    if len(unknown):
        label[unknown] = indicators.material(all_nodes[pieces[unknown]].mean(axis=1))
    return CutMesh(
        nodes=all_nodes,
        tets=np.concatenate([tets[plain], pieces]),
        material=np.concatenate([material[tets[plain, 0]], label]).astype(np.int32),
        parent=np.concatenate([plain, split[parent]]),
        walls=np.concatenate([walls, walls[low[alive]] & walls[high[alive]]]),
        edges=edges[alive],
        at=t[alive],
        snapped=has,
        kept=kept,
        mixed=edges,
        ties=found,
    )


def _rows(
    rows: NDArray[np.int32], wanted: NDArray[np.int32], n: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return for each wanted edge its row among others, rising, and whether it is one of them."""
    if len(rows) == 0:
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), np.bool_)
    keys = rows[:, 0].astype(np.int64) * n + rows[:, 1]
    asked = wanted[:, 0].astype(np.int64) * n + wanted[:, 1]
    place = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    return place, keys[place] == asked


def ties(
    start: NDArray[np.float64],
    along: NDArray[np.float64],
    pair: NDArray[np.int32],
    indicators: Indicators,
    steps: int = 8,
) -> NDArray[np.float64]:
    """Return where between ``start`` and ``start + along`` two materials tie (Illinois method).

    Parameters
    ----------
    start, along
        Points and ways (m), shape (n, 3).
    pair
        The materials at the start and at the end, shape (n, 2).
    indicators
        The functions that tie.
    steps
        Most evaluations.

    Returns
    -------
    ndarray, shape (n,)
        0 at the start, 1 at the end.
    """

    def ahead(points: NDArray[np.float64], which: NDArray[np.int32]) -> NDArray[np.float64]:
        f = indicators.chosen(points, which)
        difference: NDArray[np.float64] = f[:, 0] - f[:, 1]
        return difference

    g_low, g_high = ahead(start, pair), ahead(start + along, pair)
    # a vertex may hold a material that is not quite there
    t = np.where(g_low <= 0, 0.0, np.where(g_high >= 0, 1.0, 0.5))
    go = np.flatnonzero((g_low > 0) & (g_high < 0))
    g_low, g_high, low, high = g_low[go], g_high[go], np.zeros(len(go)), np.ones(len(go))
    least = TIE * (np.abs(g_low) + np.abs(g_high))
    last = np.zeros(len(go))
    for _ in range(steps):
        span = g_low - g_high
        here = np.where(span > 0, low + (high - low) * g_low / np.where(span > 0, span, 1.0), 0.5)
        here = np.clip(here, 0.0, 1.0)
        t[go] = here
        g = ahead(start[go] + here[:, None] * along[go], pair[go])
        up = g > 0
        low, high = np.where(up, here, low), np.where(up, high, here)
        # halve the end that stays for the second time
        g_high = np.where(up, np.where(last > 0, 0.5 * g_high, g_high), g)
        g_low = np.where(up, g, np.where(last < 0, 0.5 * g_low, g_low))
        last = np.where(up, 1.0, -1.0)
        on = np.abs(g) > least
        go, low, high, last = go[on], low[on], high[on], last[on]
        g_low, g_high, least = g_low[on], g_high[on], least[on]
        if len(go) == 0:
            break
    return t
