"""Kernels of the gradient recovery (numba)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from rheobase.fields._assembly_numba import gradients


@njit(cache=True)
def split_nodes(n_nodes: int, tets: Any, tissue: Any, n_tissues: int) -> Any:
    """Return the (tissue, node) pairs: split node of each corner, and node and tissue of each.

    The pairs are numbered node by node, so that neighbours stay close in memory.
    """
    used = np.zeros((n_nodes, n_tissues), np.bool_)
    for t in range(len(tets)):
        for a in range(4):
            used[tets[t, a], tissue[t]] = True
    number = np.empty((n_nodes, n_tissues), np.int32)
    n = 0
    for i in range(n_nodes):
        for s in range(n_tissues):
            if used[i, s]:
                number[i, s] = n
                n += 1
    node = np.empty(n, np.int32)
    tissue_of = np.empty(n, np.int32)
    for i in range(n_nodes):
        for s in range(n_tissues):
            if used[i, s]:
                node[number[i, s]] = i
                tissue_of[number[i, s]] = s
    split_of_tet = np.empty((len(tets), 4), np.int32)
    for t in range(len(tets)):
        for a in range(4):
            split_of_tet[t, a] = number[tets[t, a], tissue[t]]
    return split_of_tet, node, tissue_of


@njit(cache=True)
def tets_of_splits(n: int, split_of_tet: Any) -> Any:
    """Return the tetrahedra around each split node as (indptr, tets)."""
    indptr = np.zeros(n + 1, np.int64)
    for t in range(len(split_of_tet)):
        for a in range(4):
            indptr[split_of_tet[t, a] + 1] += 1
    indptr = np.cumsum(indptr)
    fill = indptr[:-1].copy()
    around = np.empty(4 * len(split_of_tet), np.int32)
    for t in range(len(split_of_tet)):
        for a in range(4):
            around[fill[split_of_tet[t, a]]] = t
            fill[split_of_tet[t, a]] += 1
    return indptr, around


@njit(cache=True)
def average(nodes: Any, tets: Any, split_of_tet: Any, n: int, V: Any) -> Any:
    """Return the volume-weighted mean of the element gradients at split nodes, (k, n, 3)."""
    out = np.zeros((V.shape[0], n, 3))
    weight = np.zeros(n)
    g = np.empty((4, 3))
    for t in range(len(tets)):
        volume = gradients(nodes, tets[t], g)
        for a in range(4):
            weight[split_of_tet[t, a]] += volume
        for k in range(V.shape[0]):
            for j in range(3):
                e = 0.0
                for a in range(4):
                    e += V[k, tets[t, a]] * g[a, j]
                for a in range(4):
                    out[k, split_of_tet[t, a], j] += volume * e
    for s in range(n):
        for k in range(V.shape[0]):
            for j in range(3):
                out[k, s, j] /= weight[s]
    return out


@njit(cache=True)
def patch(
    s: int, ptr: Any, around: Any, split_of_tet: Any, seen: Any, found: Any, least: int
) -> int:
    """Collect into ``found`` the split nodes around ``s`` (itself first), whole rings of them.

    Rings are added until there are ``least`` nodes or no more to add; returns their number.
    """
    found[0] = s
    seen[s] = s
    n = 1
    first = 0
    while n < least:
        last = n
        for q in range(first, last):
            for k in range(ptr[found[q]], ptr[found[q] + 1]):
                for a in range(4):
                    j = split_of_tet[around[k], a]
                    if seen[j] != s and n < len(found):
                        seen[j] = s
                        found[n] = j
                        n += 1
        if n == last:
            break
        first = last
    return n


@njit(cache=True)
def normal_matrix(
    s: int, m: int, nodes: Any, split_node: Any, found: Any, V: Any, r: Any, M: Any, rhs: Any
) -> float:
    """Write the normal equations of the quadratic fit around ``s``; return the length scale (m)."""
    c = nodes[split_node[s]]
    h = 0.0
    for q in range(m):
        p = nodes[split_node[found[q]]]
        h = max(h, abs(p[0] - c[0]), abs(p[1] - c[1]), abs(p[2] - c[2]))
    M[:] = 0.0
    rhs[:] = 0.0
    for q in range(m):
        i = split_node[found[q]]
        x = (nodes[i, 0] - c[0]) / h
        y = (nodes[i, 1] - c[1]) / h
        z = (nodes[i, 2] - c[2]) / h
        r[0] = 1.0
        r[1], r[2], r[3] = x, y, z
        r[4], r[5], r[6] = x * x, y * y, z * z
        r[7], r[8], r[9] = x * y, y * z, z * x
        for a in range(10):
            for b in range(a + 1):
                M[a, b] += r[a] * r[b]
            for k in range(rhs.shape[1]):
                rhs[a, k] += r[a] * (V[k, i] - V[k, split_node[s]])
    return h


@njit(cache=True)
def cholesky(M: Any, least: float) -> bool:
    """Factor the lower triangle of ``M`` in place; False when a pivot is not above ``least``."""
    for a in range(len(M)):
        for b in range(a + 1):
            total = M[a, b]
            for q in range(b):
                total -= M[a, q] * M[b, q]
            if a > b:
                M[a, b] = total / M[b, b]
            elif total > least:
                M[a, a] = np.sqrt(total)
            else:
                return False
    return True


@njit(cache=True)
def fit_gradient(
    nodes: Any,
    split_node: Any,
    split_of_tet: Any,
    ptr: Any,
    around: Any,
    V: Any,
    least: int,
    out: Any,
) -> int:
    """Overwrite ``out`` (k, n, 3) by the gradient of the quadratic fitted to V over each patch.

    The patch of a split node is itself and whole rings of neighbours of its own tissue, until it
    holds ``least`` nodes and determines a quadratic well (pivots of the normal matrix above 1e-4
    of the node count). Where two more rings do not help, ``out`` is left as it is. Returns the
    number of such split nodes.
    """
    n = len(split_node)
    n_fields = V.shape[0]
    seen = np.full(n, -1, np.int32)
    found = np.empty(256, np.int32)
    row = np.empty(10)
    M = np.empty((10, 10))
    rhs = np.empty((10, n_fields))
    left = 0
    h = 1.0
    for s in range(n):
        good = False
        m = 0
        wanted = least
        for _ in range(3):  # a poor patch gets another ring, twice
            before = m
            if m > 0:
                for q in range(m):
                    seen[found[q]] = -1
            m = patch(s, ptr, around, split_of_tet, seen, found, wanted)
            wanted = m + 1
            if m < 10 or m == before:
                continue
            h = normal_matrix(s, m, nodes, split_node, found, V, row, M, rhs)
            good = cholesky(M, 1e-4 * m)
            if good:
                break
        if not good:
            left += 1
            continue
        for k in range(n_fields):
            for a in range(10):
                total = rhs[a, k]
                for b in range(a):
                    total -= M[a, b] * rhs[b, k]
                rhs[a, k] = total / M[a, a]
            for a in range(9, 0, -1):
                total = rhs[a, k]
                for b in range(a + 1, 10):
                    total -= M[b, a] * rhs[b, k]
                rhs[a, k] = total / M[a, a]
            for j in range(3):
                out[k, s, j] = rhs[1 + j, k] / h
    return left
