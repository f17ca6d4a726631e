"""Kernels that cut lattice tetrahedra along material interfaces."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

#: Local vertices of the six edges of a tetrahedron; local index 4 + e is the cut on edge e.
EDGES = np.array([[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]], np.int64)
EDGE_OF = np.array([[-1, 0, 1, 2], [0, -1, 3, 4], [1, 3, -1, 5], [2, 4, 5, -1]], np.int64)


@njit(cache=True, nogil=True)
def mixed_edges(tets: Any, material: Any) -> Any:
    """Return the tetrahedra and the edges whose ends differ in material.

    Returns
    -------
    split
        The tetrahedra with more than one material.
    cut
        For each of them the number of each of its six edges, -1 where the ends agree.
    edges
        The nodes of each numbered edge, lower first, rising by (lower, higher).
    alone
        Nodes without an edge to another of their material.
    """
    n_nodes = material.size
    count = 0
    first = np.zeros(n_nodes + 1, np.int64)
    alone = np.ones(n_nodes, np.bool_)
    for t in range(tets.shape[0]):
        mixed = False
        for e in range(6):
            a, b = tets[t, EDGES[e, 0]], tets[t, EDGES[e, 1]]
            if material[a] != material[b]:
                mixed = True
                first[min(a, b) + 1] += 1
            else:
                alone[a] = alone[b] = False
        count += mixed
    for v in range(n_nodes):
        first[v + 1] += first[v]
    split = np.empty(count, np.int32)
    ends = np.empty(first[n_nodes], np.int32)
    filled = np.zeros(n_nodes, np.int32)
    count = 0
    for t in range(tets.shape[0]):
        mixed = False
        for e in range(6):
            a, b = tets[t, EDGES[e, 0]], tets[t, EDGES[e, 1]]
            if material[a] == material[b]:
                continue
            mixed = True
            low, high = min(a, b), max(a, b)
            begin = first[low]
            n = begin + filled[low]
            known = False
            for m in range(begin, n):
                known = known or ends[m] == high
            if not known:
                while n > begin and ends[n - 1] > high:
                    ends[n] = ends[n - 1]
                    n -= 1
                ends[n] = high
                filled[low] += 1
        if mixed:
            split[count] = t
            count += 1
    number = np.zeros(n_nodes + 1, np.int64)
    for v in range(n_nodes):
        number[v + 1] = number[v] + filled[v]
    edges = np.empty((number[n_nodes], 2), np.int32)
    for v in range(n_nodes):
        for m in range(filled[v]):
            edges[number[v] + m, 0] = v
            edges[number[v] + m, 1] = ends[first[v] + m]
    cut = np.full((count, 6), -1, np.int32)
    for s in range(count):
        for e in range(6):
            a, b = tets[split[s], EDGES[e, 0]], tets[split[s], EDGES[e, 1]]
            if material[a] != material[b]:
                low, high = min(a, b), max(a, b)
                n = number[low]
                while edges[n, 1] != high:
                    n += 1
                cut[s, e] = n
    return split, cut, edges, alone


@njit(cache=True, nogil=True)
def snap(
    order: Any, edges: Any, t: Any, limit: Any, held: Any, walls: Any, wild: Any, snapped: Any
) -> None:
    """Move vertices with a cut close by onto it: ``snapped`` gets the cut, ``wild`` the flag.

    Cuts are taken nearest first; a vertex that has moved takes all cuts of its edges with it. A
    ``held`` vertex stays.
    """
    for n in order:
        a = edges[n, 0]
        b = edges[n, 1]
        if wild[a] or wild[b]:
            continue
        if t[n] <= 0.5:
            v, w, d = a, b, t[n]
        else:
            v, w, d = b, a, 1.0 - t[n]
        if held[v]:
            continue
        # a vertex on a wall of the box slides along that wall only
        if d < limit[n] and (walls[v] & ~walls[w]) == 0:
            wild[v] = True
            snapped[v] = n


@njit(cache=True, nogil=True)
def subdivide(
    tets: Any,
    cut: Any,
    rank: Any,
    wild: Any,
    material: Any,
    first: int,
    out: Any,
    label: Any,
    parent: Any,
) -> int:
    """Split each tetrahedron by bisecting its cut edges in the order ``rank``.

    ``cut`` (n, 6) holds the cut on each edge or -1, ``first`` is the node of cut 0. A tetrahedron's
    label is the material of its remaining pure vertices, -1 where it has none. Two tetrahedra
    that share a face see the same cuts in the same order, so they split it alike. Counts only if
    ``out`` is empty.
    """
    stack = np.empty((32, 4), np.int64)
    count = 0
    fill = out.shape[0] > 0
    for n in range(tets.shape[0]):
        stack[0, 0], stack[0, 1], stack[0, 2], stack[0, 3] = 0, 1, 2, 3
        depth = 1
        while depth > 0:
            depth -= 1
            v0, v1, v2, v3 = stack[depth, 0], stack[depth, 1], stack[depth, 2], stack[depth, 3]
            best = -1
            bi = 0
            bj = 0
            for e in range(6):
                i = EDGES[e, 0]
                j = EDGES[e, 1]
                p = stack[depth, i]
                q = stack[depth, j]
                if p < 4 and q < 4:
                    g = cut[n, EDGE_OF[p, q]]
                    if g >= 0 and (best < 0 or rank[g] < rank[cut[n, best]]):
                        best = EDGE_OF[p, q]
                        bi = i
                        bj = j
            if best >= 0:
                stack[depth + 1, 0], stack[depth + 1, 1] = v0, v1
                stack[depth + 1, 2], stack[depth + 1, 3] = v2, v3
                stack[depth, bi] = 4 + best
                stack[depth + 1, bj] = 4 + best
                depth += 2
                continue
            if fill:
                found = -1
                for i in range(4):
                    p = stack[depth, i]
                    if p < 4:
                        g = tets[n, p]
                        out[count, i] = g
                        if not wild[g]:
                            found = material[g]
                    else:
                        out[count, i] = first + cut[n, p - 4]
                label[count] = found
                parent[count] = n
            count += 1
    return count
