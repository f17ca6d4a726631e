"""Kernels of the gradient recovery (numba)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from rheobase.fields._assembly_numba import gradients, turned

NEARNESS = 0.3  # weights of the fit are 1/(NEARNESS + (d/h)²), h the size of the patch


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


@njit(cache=True, nogil=True)
def neighbours(n: int, split_of_tet: Any, ptr: Any, around: Any) -> Any:
    """Return the split nodes that share a tetrahedron with each of ``n``, as (indptr, indices)."""
    indptr = np.zeros(n + 1, np.int64)
    indices = np.empty(0, np.int32)
    for fill in (False, True):
        seen = np.full(n, -1, np.int32)
        for s in range(n):
            seen[s] = s
            end = indptr[s]
            for k in range(ptr[s], ptr[s + 1]):
                for a in range(4):
                    j = split_of_tet[around[k], a]
                    if seen[j] != s:
                        seen[j] = s
                        if fill:
                            indices[end] = j
                        end += 1
            indptr[s + 1] = end
        if not fill:
            indices = np.empty(indptr[n], np.int32)
    return indptr, indices


@njit(cache=True, nogil=True)
def patch(
    s: int,
    points: Any,
    indptr: Any,
    indices: Any,
    seen: Any,
    found: Any,
    least: int,
    near: Any,
    distance: Any,
) -> int:
    """Write the nodes nearest to ``s`` of its own tissue into ``near``, itself first.

    Candidates are the first two rings of neighbours, and a third where those hold fewer than
    ``least``; of these the nearest, as many as ``near`` holds. Returns how many, and their squared
    distances (m²) in ``distance``.
    """
    x, y, z = points[s, 0], points[s, 1], points[s, 2]
    near[0] = found[0] = s
    distance[0] = 0.0
    seen[s] = s
    n = 1
    m = 1
    first = 0
    for ring in range(3):
        if ring == 2 and n >= least:
            break
        last = n
        for q in range(first, last):
            for k in range(indptr[found[q]], indptr[found[q] + 1]):
                j = indices[k]
                if seen[j] == s or n == len(found):
                    continue
                seen[j] = s
                found[n] = j
                n += 1
                dx, dy, dz = points[j, 0] - x, points[j, 1] - y, points[j, 2] - z
                d = dx * dx + dy * dy + dz * dz
                if m < len(near):
                    m += 1
                elif d >= distance[m - 1]:
                    continue
                place = m - 1
                while distance[place - 1] > d:
                    distance[place] = distance[place - 1]
                    near[place] = near[place - 1]
                    place -= 1
                distance[place] = d
                near[place] = j
        first = last
    return m


@njit(cache=True, nogil=True)
def polynomials(x: float, y: float, z: float, w: float, harmonic: bool, B: Any, q: int) -> None:
    """Write the polynomials of the fit, times ``w``, into column ``q`` of ``B``.

    Harmonic ones to the third degree (16), or all to the second (10, the harmonic ones first).
    """
    B[0, q] = w
    B[1, q] = w * x
    B[2, q] = w * y
    B[3, q] = w * z
    B[4, q] = w * x * y
    B[5, q] = w * y * z
    B[6, q] = w * z * x
    B[7, q] = w * (x * x - y * y)
    B[8, q] = w * (2 * z * z - x * x - y * y)
    if harmonic:
        B[9, q] = w * x * (x * x - 3 * y * y)
        B[10, q] = w * y * (3 * x * x - y * y)
        B[11, q] = w * z * (x * x - y * y)
        B[12, q] = w * x * y * z
        B[13, q] = w * x * (4 * z * z - x * x - y * y)
        B[14, q] = w * y * (4 * z * z - x * x - y * y)
        B[15, q] = w * z * (2 * z * z - 3 * x * x - 3 * y * y)
    else:
        B[9, q] = w * (x * x + y * y + z * z)


@njit(cache=True, nogil=True)
def cholesky(M: Any, n: int) -> int:
    """Factor the leading (n, n) lower triangle of ``M`` in place, as far as it goes.

    Returns the number of columns done: the rest depend on the ones before, to 1e-2 of their
    square (1e-12 in the first four, which any tetrahedron determines).
    """
    for a in range(n):
        for b in range(a):
            total = M[a, b]
            for q in range(b):
                total -= M[a, q] * M[b, q]
            M[a, b] = total / M[b, b]
        whole = M[a, a]
        total = whole
        for q in range(a):
            total -= M[a, q] * M[a, q]
        if not total > (1e-2 if a > 3 else 1e-12) * whole:
            return a
        M[a, a] = np.sqrt(total)
    return n


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def fit_weights(
    points: Any,
    mesh_node: Any,
    rows: Any,
    indptr: Any,
    indices: Any,
    harmonic: Any,
    lower: bool,
    node: Any,
    weight: Any,
) -> None:
    """Write the patch of each row and the weights that make its potentials a gradient.

    A patch holds mesh nodes, shape (n_rows, width), padded by its own; weights (1/m) have shape
    (n_rows, width, 3). The fit is the one of the highest degree that the patch determines with a
    fourth of nodes to spare; of the first where it determines no other. If ``lower``, the fit of
    one degree less on the same patch.
    """
    width = node.shape[1]
    seen = np.full(len(points), -1, np.int32)
    found = np.empty(4096, np.int32)
    near = np.empty(width, np.int32)
    distance = np.empty(width)
    w = np.empty(width)
    B = np.empty((16, width))
    M = np.empty((16, 16))
    c = np.empty(16)
    weight[:] = 0.0
    for row in range(len(rows)):
        s = rows[row]
        m = patch(s, points, indptr, indices, seen, found, 20, near, distance)
        h2 = distance[m - 1]
        h = np.sqrt(h2)
        for q in range(m):
            j = near[q]
            w[q] = 1.0 / np.sqrt(NEARNESS + distance[q] / h2)
            polynomials(
                (points[j, 0] - points[s, 0]) / h,
                (points[j, 1] - points[s, 1]) / h,
                (points[j, 2] - points[s, 2]) / h,
                w[q],
                harmonic[s],
                B,
                q,
            )
        n_columns = 4
        if harmonic[s] and m >= 12:
            n_columns = 16 if m >= 20 else 9
        elif m >= 13:
            n_columns = 10
        for a in range(n_columns):
            for b in range(a + 1):
                total = 0.0
                for q in range(m):
                    total += B[a, q] * B[b, q]
                M[a, b] = total
        done = cholesky(M, n_columns)
        if done < n_columns:
            n_columns = 9 if harmonic[s] and done >= 9 else 4
        if lower:
            n_columns = 9 if n_columns == 16 else 4
        node[row, :] = mesh_node[s]
        for q in range(m):
            node[row, q] = mesh_node[near[q]]
        for j in range(3):
            for a in range(n_columns):
                total = 1.0 if a == j + 1 else 0.0
                for b in range(a):
                    total -= M[a, b] * c[b]
                c[a] = total / M[a, a]
            for a in range(n_columns - 1, -1, -1):
                total = c[a]
                for b in range(a + 1, n_columns):
                    total -= M[b, a] * c[b]
                c[a] = total / M[a, a]
            for q in range(m):
                total = 0.0
                for a in range(n_columns):
                    total += B[a, q] * c[a]
                weight[row, q, j] = w[q] * total / h


@njit(cache=True, nogil=True, fastmath={"contract"})
def apply_weights(node: Any, weight: Any, V: Any, begin: int, end: int, out: Any) -> None:
    """Write the gradients of k potentials, given side by side (n_nodes, k), into (k, n_rows, 3).

    Only those of the rows from ``begin`` to before ``end`` are written.
    """
    k = V.shape[1]
    x, y, z = np.empty(k), np.empty(k), np.empty(k)
    for s in range(begin, end):
        own = V[node[s, 0]]
        x[:] = 0.0
        y[:] = 0.0
        z[:] = 0.0
        for q in range(1, node.shape[1]):
            other = V[node[s, q]]
            wx, wy, wz = weight[s, q, 0], weight[s, q, 1], weight[s, q, 2]
            for i in range(k):
                v = other[i] - own[i]
                x[i] += wx * v
                y[i] += wy * v
                z[i] += wz * v
        for i in range(k):
            out[i, s, 0] = x[i]
            out[i, s, 1] = y[i]
            out[i, s, 2] = z[i]


@njit(cache=True, nogil=True)
def defects(
    nodes: Any,
    tets: Any,
    split_of_tet: Any,
    tissue: Any,
    sigma: Any,
    tensor: Any,
    R: Any,
    V: Any,
    G: Any,
    spared: Any,
    out: Any,
) -> None:
    """Write ∫ sigma R (grad V - mean(G)) · grad(phi_i) (A) into (k, n_nodes).

    ``sigma`` is that of each row's tissues, (k, n_tissues), and ``tissue`` the index into it of
    each tetrahedron; V has shape (k, n_nodes) and G (k, n_split, 3).
    Tetrahedra with a node in ``spared``, (k, n_nodes), are left out.
    """
    for k in range(len(V)):
        g = np.empty((4, 3))
        e = np.empty(3)
        for i in range(len(nodes)):
            out[k, i] = 0.0
        for t in range(len(tets)):
            a, b, c, d = tets[t, 0], tets[t, 1], tets[t, 2], tets[t, 3]
            if spared[k, a] or spared[k, b] or spared[k, c] or spared[k, d]:
                continue
            factor = sigma[k, tissue[t]] * gradients(nodes, tets[t], g)
            p, q, r, s = split_of_tet[t]
            for j in range(3):
                e[j] = V[k, a] * g[0, j] + V[k, b] * g[1, j] + V[k, c] * g[2, j] + V[k, d] * g[3, j]
                e[j] -= 0.25 * (G[k, p, j] + G[k, q, j] + G[k, r, j] + G[k, s, j])
            x, y, z = turned(R, tensor[t], e[0], e[1], e[2])
            for n in range(4):
                flux = g[n, 0] * x + g[n, 1] * y + g[n, 2] * z
                out[k, tets[t, n]] += factor * flux
