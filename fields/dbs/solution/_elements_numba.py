"""Kernels of the lead's grid: polynomials, element matrices and their sparse sum (numba)."""

from __future__ import annotations

from math import cos, sin
from typing import Any

import numpy as np
from numba import njit

from rheobase.fields.dbs.grid._chart_numba import chart


@njit(cache=True, nogil=True)
def lagrange(nodes: Any, x: float, value: Any, slope: Any) -> None:
    """Write the Lagrange polynomials through nodes, and their slopes, at x."""
    n = len(nodes)
    for j in range(n):
        v = 1.0
        d = 0.0
        for m in range(n):
            if m != j:
                q = 1.0 / (nodes[j] - nodes[m])
                d = d * (x - nodes[m]) * q + v * q
                v *= (x - nodes[m]) * q
        value[j] = v
        slope[j] = d


@njit(cache=True, nogil=True)
def pattern(conn: Any, n: int) -> Any:
    """Return row pointers and sorted columns of the matrix of elements; rows < 0 have none."""
    begin = np.zeros(n + 1, np.int64)
    for e in range(conn.shape[0]):
        for a in range(conn.shape[1]):
            if conn[e, a] >= 0:
                begin[conn[e, a] + 1] += 1
    for i in range(n):
        begin[i + 1] += begin[i]
    fill = begin[:-1].copy()
    owner = np.empty(begin[n], np.int32)
    for e in range(conn.shape[0]):
        for a in range(conn.shape[1]):
            i = conn[e, a]
            if i >= 0:
                owner[fill[i]] = e
                fill[i] += 1
    indptr = np.zeros(n + 1, np.int32)
    seen = np.full(n, -1, np.int32)
    for i in range(n):
        count = 0
        for k in range(begin[i], begin[i + 1]):
            for b in range(conn.shape[1]):
                j = conn[owner[k], b]
                if j >= 0 and seen[j] != i:
                    seen[j] = i
                    count += 1
        indptr[i + 1] = indptr[i] + count
    indices = np.empty(indptr[n], np.int32)
    seen[:] = -1
    for i in range(n):
        at = indptr[i]
        for k in range(begin[i], begin[i + 1]):
            for b in range(conn.shape[1]):
                j = conn[owner[k], b]
                if j >= 0 and seen[j] != i:
                    seen[j] = i
                    indices[at] = j
                    at += 1
        indices[indptr[i] : at].sort()
    return indptr, indices


@njit(cache=True, nogil=True)
def stiffness(
    c: Any,
    boxes: Any,
    outer: Any,
    conn: Any,
    nodes_s: Any,
    nodes_t: Any,
    nodes_k: Any,
    points: Any,
    weights: Any,
    sigma: Any,
    indptr: Any,
    indices: Any,
    data: Any,
) -> None:
    """Add ∫ grad a . sigma grad b of elements into a matrix.

    ``points`` and ``weights`` are local coordinates (n_q, 3) and weights of the quadrature,
    ``sigma`` the conductivity there: (n_elements, n_q, 1), or 6 tensor components in the axes of
    the lead frame. ``conn`` holds rows of the matrix, -1 for functions left out.
    """
    ns, nt, nk = len(nodes_s), len(nodes_t), len(nodes_k)
    n = ns * nt * nk
    n_q = len(points)
    gradient = np.empty((3 * n_q, n))
    weighted = np.empty((3 * n_q, n))
    S, dS = np.empty((2, ns)), np.empty((2, ns))
    K, dK = np.empty((2, nk)), np.empty((2, nk))
    B, dB = np.empty(nt), np.empty(nt)
    D = np.zeros((3, 3))
    A = np.empty((n, n))
    for e in range(len(boxes)):
        h = 0.5 * (boxes[e, :, 1] - boxes[e, :, 0])
        m = 0.5 * (boxes[e, :, 1] + boxes[e, :, 0])
        for q in range(n_q):
            s, t, k = m[0] + h[0] * points[q, 0], m[1] + h[1] * points[q, 1], 0.0
            k = m[2] + h[2] * points[q, 2]
            _functions(s, boxes[e, 0], outer[e, 0], nodes_s, S, dS)
            _functions(k, boxes[e, 2], outer[e, 1], nodes_k, K, dK)
            lagrange(nodes_t, points[q, 1], B, dB)
            r, _, r_s, r_t, r_k, z_s, z_t, z_k = chart(c, s, t, k)
            det = r_s * z_t - z_s * r_t
            factor = weights[q] * h[0] * h[1] * h[2] * abs(det) * r
            if sigma.shape[2] == 1:
                for i in range(3):
                    D[i, i] = factor * sigma[e, q, 0]
            else:
                _cylindrical(sigma[e, q], k, factor, D)
            f = 0
            for a in range(ns):
                for b in range(nt):
                    far = 1 if b == nt - 1 else 0
                    for g in range(nk):
                        u_s = dS[far, a] * B[b] * K[far, g]
                        u_t = S[far, a] * dB[b] / h[1] * K[far, g]
                        u_k = S[far, a] * B[b] * dK[far, g]
                        u_r = (z_t * u_s - z_s * u_t) / det
                        u_z = (r_s * u_t - r_t * u_s) / det
                        gradient[3 * q, f] = u_r
                        gradient[3 * q + 1, f] = (u_k - r_k * u_r - z_k * u_z) / r
                        gradient[3 * q + 2, f] = u_z
                        f += 1
            for i in range(3):
                for f in range(n):
                    weighted[3 * q + i, f] = (
                        D[i, 0] * gradient[3 * q, f]
                        + D[i, 1] * gradient[3 * q + 1, f]
                        + D[i, 2] * gradient[3 * q + 2, f]
                    )
        # by hand: a BLAS with threads takes many times longer for matrices of this size
        A[:] = 0.0
        for q in range(3 * n_q):
            for a in range(n):
                w = gradient[q, a]
                for b in range(a, n):
                    A[a, b] += w * weighted[q, b]
        for a in range(n):
            i = conn[e, a]
            if i < 0:
                continue
            for b in range(n):
                j = conn[e, b]
                if j < 0:
                    continue
                low, high = indptr[i], indptr[i + 1]
                while low < high:
                    middle = (low + high) // 2
                    if indices[middle] < j:
                        low = middle + 1
                    else:
                        high = middle
                data[low] += A[min(a, b), max(a, b)]


@njit(cache=True, nogil=True, inline="always")
def _functions(x: float, own: Any, outer: Any, nodes: Any, V: Any, D: Any) -> None:
    """Write values and slopes at x of the functions of an element and of its outer face."""
    half = 0.5 * (own[1] - own[0])
    lagrange(nodes, (x - 0.5 * (own[0] + own[1])) / half, V[0], D[0])
    for a in range(len(nodes)):
        D[0, a] /= half
    if outer[0] == own[0] and outer[1] == own[1]:
        for a in range(len(nodes)):
            V[1, a] = V[0, a]
            D[1, a] = D[0, a]
    else:
        half = 0.5 * (outer[1] - outer[0])
        lagrange(nodes, (x - 0.5 * (outer[0] + outer[1])) / half, V[1], D[1])
        for a in range(len(nodes)):
            D[1, a] /= half


@njit(cache=True, nogil=True, inline="always")
def _cylindrical(v: Any, theta: float, factor: float, D: Any) -> None:
    """Write a tensor (xx, xy, xz, yy, yz, zz) along (r, theta, z) at an angle, times a factor."""
    x, y = cos(theta), sin(theta)
    D[0, 0] = factor * (v[0] * x * x + 2 * v[1] * x * y + v[3] * y * y)
    D[1, 1] = factor * (v[0] * y * y - 2 * v[1] * x * y + v[3] * x * x)
    D[0, 1] = factor * ((v[3] - v[0]) * x * y + v[1] * (x * x - y * y))
    D[0, 2] = factor * (v[2] * x + v[4] * y)
    D[1, 2] = factor * (v[4] * x - v[2] * y)
    D[2, 2] = factor * v[5]
    D[1, 0], D[2, 0], D[2, 1] = D[0, 1], D[0, 2], D[1, 2]
