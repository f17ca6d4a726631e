"""Kernels of the assembly: sparsity pattern, stiffness by tissue, loads (numba)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True)
def gradients(nodes: Any, tet: Any, g: Any) -> float:
    """Write the gradients (1/m) of the four hat functions into ``g`` (4, 3); return the volume."""
    ax, ay, az = nodes[tet[0], 0], nodes[tet[0], 1], nodes[tet[0], 2]
    bx, by, bz = nodes[tet[1], 0] - ax, nodes[tet[1], 1] - ay, nodes[tet[1], 2] - az
    cx, cy, cz = nodes[tet[2], 0] - ax, nodes[tet[2], 1] - ay, nodes[tet[2], 2] - az
    dx, dy, dz = nodes[tet[3], 0] - ax, nodes[tet[3], 1] - ay, nodes[tet[3], 2] - az
    g[1, 0], g[1, 1], g[1, 2] = cy * dz - cz * dy, cz * dx - cx * dz, cx * dy - cy * dx
    g[2, 0], g[2, 1], g[2, 2] = dy * bz - dz * by, dz * bx - dx * bz, dx * by - dy * bx
    g[3, 0], g[3, 1], g[3, 2] = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
    det = bx * g[1, 0] + by * g[1, 1] + bz * g[1, 2]
    for j in range(3):
        for i in range(1, 4):
            g[i, j] /= det
        g[0, j] = -(g[1, j] + g[2, j] + g[3, j])
    return float(det / 6.0)


@njit(cache=True)
def turned(R: Any, row: int, x: float, y: float, z: float) -> Any:
    """Return the vector (x, y, z) times the tensor in ``row`` of R (m, 6), itself if row < 0."""
    if row < 0:
        return x, y, z
    return (
        R[row, 0] * x + R[row, 1] * y + R[row, 2] * z,
        R[row, 1] * x + R[row, 3] * y + R[row, 4] * z,
        R[row, 2] * x + R[row, 4] * y + R[row, 5] * z,
    )


@njit(cache=True)
def tets_of_nodes(n_nodes: int, tets: Any, tissue: Any, n_tissues: int) -> Any:
    """Return the tetrahedra around each node, grouped by tissue, as (indptr, tets)."""
    start = np.zeros(n_tissues + 1, np.int64)
    for t in range(len(tets)):
        start[tissue[t] + 1] += 1
    start = np.cumsum(start)
    order = np.empty(len(tets), np.int32)
    for t in range(len(tets)):
        order[start[tissue[t]]] = t
        start[tissue[t]] += 1
    indptr = np.zeros(n_nodes + 1, np.int64)
    for t in range(len(tets)):
        for a in range(4):
            indptr[tets[t, a] + 1] += 1
    indptr = np.cumsum(indptr)
    fill = indptr[:-1].copy()
    around = np.empty(4 * len(tets), np.int32)
    for k in range(len(order)):
        t = order[k]
        for a in range(4):
            around[fill[tets[t, a]]] = t
            fill[tets[t, a]] += 1
    return indptr, around


@njit(cache=True)
def connected_parts(n: int, tets: Any) -> Any:
    """Return the connected part of each node, numbered by their first nodes (union-find)."""
    root = np.arange(n).astype(np.int32)
    for t in range(len(tets)):
        for a in range(1, 4):
            i, j = tets[t, 0], tets[t, a]
            while root[i] != i:
                root[i] = root[root[i]]
                i = root[i]
            while root[j] != j:
                root[j] = root[root[j]]
                j = root[j]
            if i < j:
                root[j] = i
            else:
                root[i] = j
    part = np.empty(n, np.int32)
    count = 0
    for i in range(n):  # a root comes before what it is the root of
        if root[i] == i:
            part[i] = count
            count += 1
        else:
            part[i] = part[root[i]]
    return part


@njit(cache=True)
def count_entries(tets: Any, tissue: Any, ptr: Any, around: Any) -> Any:
    """Return the row pointers of the matrix and of the (row, tissue) entries."""
    n = len(ptr) - 1
    rows = np.zeros(n + 1, np.int32)
    entries = np.zeros(n + 1, np.int64)
    seen = np.full(n, -1, np.int32)
    seen_here = np.full(n, -1, np.int32)
    group = -1
    for i in range(n):
        last = -1
        n_row = 0
        n_entry = 0
        for k in range(ptr[i], ptr[i + 1]):
            t = around[k]
            if tissue[t] != last:
                last = tissue[t]
                group += 1
            for b in range(4):
                j = tets[t, b]
                if seen[j] != i:
                    seen[j] = i
                    n_row += 1
                if seen_here[j] != group:
                    seen_here[j] = group
                    n_entry += 1
        rows[i + 1] = rows[i] + max(n_row, 1)  # a node without tetrahedra keeps its diagonal
        entries[i + 1] = entries[i] + n_entry
    return rows, entries


@njit(cache=True)
def assemble_entries(
    nodes: Any,
    tets: Any,
    tissue: Any,
    tensor: Any,
    R: Any,
    ptr: Any,
    around: Any,
    rows: Any,
    entries: Any,
) -> Any:
    """Return columns of the pattern, and place, tissue and value of each (row, tissue) entry.

    ``tensor`` is the row of each tetrahedron in R (m, 6), -1 where it is isotropic.
    """
    n = len(nodes)
    indices = np.empty(rows[n], np.int32)
    place = np.empty(entries[n], np.int32)
    tissue_of = np.empty(entries[n], np.uint8)
    value = np.zeros(entries[n])
    where = np.full(n, -1, np.int32)  # column -> place in the pattern, valid when >= rows[i]
    mine = np.full(n, -1, np.int64)  # column -> entry, valid when >= start of the group
    g = np.empty((4, 3))
    for i in range(n):
        end = rows[i]
        for k in range(ptr[i], ptr[i + 1]):
            for b in range(4):
                j = tets[around[k], b]
                if where[j] < rows[i]:
                    where[j] = end
                    indices[end] = j
                    end += 1
        if end == rows[i]:
            indices[end] = i
            end += 1
        for p in range(rows[i] + 1, end):  # insertion sort: rows hold about 15 columns
            j = indices[p]
            q = p - 1
            while q >= rows[i] and indices[q] > j:
                indices[q + 1] = indices[q]
                q -= 1
            indices[q + 1] = j
        for p in range(rows[i], end):
            where[indices[p]] = p
        last = -1
        start = entries[i]
        e = entries[i]
        for k in range(ptr[i], ptr[i + 1]):
            t = around[k]
            if tissue[t] != last:
                last = tissue[t]
                start = e
            volume = gradients(nodes, tets[t], g)
            a = 0
            while tets[t, a] != i:
                a += 1
            fx, fy, fz = turned(R, tensor[t], g[a, 0], g[a, 1], g[a, 2])
            for b in range(4):
                j = tets[t, b]
                if mine[j] < start:
                    mine[j] = e
                    place[e] = where[j]
                    tissue_of[e] = last
                    e += 1
                value[mine[j]] += volume * (fx * g[b, 0] + fy * g[b, 1] + fz * g[b, 2])
    return indices, place, tissue_of, value


@njit(cache=True)
def weighted_sum(n: int, place: Any, tissue_of: Any, value: Any, sigma: Any) -> Any:
    """Return the matrix data for one conductivity per tissue."""
    data = np.zeros(n)
    for e in range(len(place)):
        data[place[e]] += sigma[tissue_of[e]] * value[e]
    return data


@njit(cache=True)
def vector_load(nodes: Any, tets: Any, sigma: Any, tensor: Any, R: Any, A: Any) -> Any:
    """Return -∫ sigma R A · grad(phi_i) for k vector fields given at the nodes, shape (k, n)."""
    b = np.zeros((A.shape[0], len(nodes)))
    g = np.empty((4, 3))
    for t in range(len(tets)):
        factor = -0.25 * sigma[t] * gradients(nodes, tets[t], g)
        for k in range(A.shape[0]):
            sx = sy = sz = 0.0
            for a in range(4):
                i = tets[t, a]
                sx += A[k, i, 0]
                sy += A[k, i, 1]
                sz += A[k, i, 2]
            sx, sy, sz = turned(R, tensor[t], sx, sy, sz)
            for a in range(4):
                b[k, tets[t, a]] += factor * (g[a, 0] * sx + g[a, 1] * sy + g[a, 2] * sz)
    return b


@njit(cache=True)
def joule_by_tet(nodes: Any, tets: Any, tensor: Any, R: Any, V: Any, A: Any) -> Any:
    """Return ∫ x · R x, x = grad V + A, over each tetrahedron (V² m), A linear in it, (n_tets,)."""
    out = np.empty(len(tets))
    g = np.empty((4, 3))
    e = np.empty(3)
    x = np.empty(3)
    s = np.empty(3)
    for t in range(len(tets)):
        volume = gradients(nodes, tets[t], g)
        for j in range(3):
            e[j] = s[j] = 0.0
            for a in range(4):
                e[j] += V[tets[t, a]] * g[a, j]
        total = 0.0
        for a in range(4):
            for j in range(3):
                x[j] = e[j] + A[tets[t, a], j]
                s[j] += x[j]
            fx, fy, fz = turned(R, tensor[t], x[0], x[1], x[2])
            total += fx * x[0] + fy * x[1] + fz * x[2]
        fx, fy, fz = turned(R, tensor[t], s[0], s[1], s[2])
        out[t] = volume * (total + fx * s[0] + fy * s[1] + fz * s[2]) / 20.0
    return out
