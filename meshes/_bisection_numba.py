"""Kernels of longest-edge bisection: edges of a mesh, marks, splits (numba)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

#: The two vertices of each edge of a tetrahedron.
_ENDS = np.array([[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]], np.int64)


@njit(cache=True, nogil=True)
def edges_of_tets(tets: Any, n_nodes: int) -> Any:
    """Return the edges, (n, 2), lower node first, and those of each tetrahedron, (n_tets, 6)."""
    start = np.zeros(n_nodes + 1, np.int64)
    for t in range(len(tets)):
        for e in range(6):
            start[min(tets[t, _ENDS[e, 0]], tets[t, _ENDS[e, 1]]) + 1] += 1
    start = np.cumsum(start)
    high = np.empty(start[-1], np.int32)
    number = np.empty(start[-1], np.int32)
    end = start[:-1].copy()
    of_tet = np.empty((len(tets), 6), np.int32)
    ends = np.empty((start[-1], 2), np.int32)
    n = 0
    for t in range(len(tets)):
        for e in range(6):
            a, b = tets[t, _ENDS[e, 0]], tets[t, _ENDS[e, 1]]
            if a > b:
                a, b = b, a
            k = start[a]
            while k < end[a] and high[k] != b:
                k += 1
            if k == end[a]:
                high[k], number[k] = b, n
                ends[n, 0], ends[n, 1] = a, b
                end[a] += 1
                n += 1
            of_tet[t, e] = number[k]
    return ends[:n].copy(), of_tet


@njit(cache=True, nogil=True)
def _longest(of: Any, length: Any, marked: Any) -> int:
    """Return which of six edges is the longest marked one, the later of equals, -1 if none."""
    best = -1
    for e in range(6):
        i = of[e]
        if i < 0 or not marked[i]:
            continue
        if best < 0 or (length[i], i) > (length[of[best]], of[best]):
            best = e
    return best


@njit(cache=True, nogil=True)
def edges_to_split(of_tet: Any, length: Any, most: Any) -> Any:
    """Return the flags of the edges to split: all too long ones, and what keeps shapes good.

    An edge is too long where it is longer than ``most`` of a tetrahedron around it. Wherever an
    edge is split, so is the longest edge of every tetrahedron around it.
    """
    marked = np.zeros(len(length), np.bool_)
    all_of_them = np.ones(len(length), np.bool_)
    own = np.empty(len(of_tet), np.int32)
    for t in range(len(of_tet)):
        own[t] = of_tet[t, _longest(of_tet[t], length, all_of_them)]
        for e in range(6):
            if length[of_tet[t, e]] > most[t]:
                marked[of_tet[t, e]] = True
    changed = True
    while changed:
        changed = False
        for t in range(len(of_tet)):
            if marked[own[t]]:
                continue
            for e in range(6):
                if marked[of_tet[t, e]]:
                    marked[own[t]] = changed = True
                    break
    return marked


@njit(cache=True, nogil=True)
def split(tets: Any, of_tet: Any, length: Any, middle: Any) -> Any:
    """Return the tetrahedra and the one each is a piece of, edges halved, the longest first.

    ``middle`` is the new node of each edge, -1 where it stays.
    """
    marked = middle >= 0
    n = len(tets)
    out = np.empty((2 * n, 4), np.int32)
    parent = np.empty(2 * n, np.int64)
    stack, edges = np.empty((64, 4), np.int32), np.empty((64, 6), np.int32)
    k = 0
    for t in range(n):
        stack[0], edges[0] = tets[t], of_tet[t]
        top = 1
        while top > 0:
            e = _longest(edges[top - 1], length, marked)
            if e >= 0:  # two pieces: the middle takes the place of one end, then of the other
                m = middle[edges[top - 1, e]]
                stack[top], edges[top] = stack[top - 1], edges[top - 1]
                for piece in range(2):
                    v = _ENDS[e, piece]
                    stack[top - piece, v] = m
                    for f in range(6):
                        if _ENDS[f, 0] == v or _ENDS[f, 1] == v:
                            edges[top - piece, f] = -1
                top += 1
                continue
            if k == len(out):
                out = np.concatenate((out, np.empty_like(out)))
                parent = np.concatenate((parent, np.empty_like(parent)))
            top -= 1
            out[k], parent[k] = stack[top], t
            k += 1
    return out[:k].copy(), parent[:k].copy()
