"""Kernels that evaluate a lead's grid at points: potential and its gradient (numba)."""

from __future__ import annotations

from math import cos, pi, sin
from typing import Any

import numpy as np
from numba import njit

from rheobase.fields.dbs.grid._chart_numba import RADIUS, chart, invert
from rheobase.fields.dbs.solution._elements_numba import _functions, lagrange


@njit(cache=True, nogil=True, inline="always")
def _interval(x: float, breaks: Any, begin: int, end: int) -> int:
    """Return which interval of breaks[begin:end] holds x, the nearest one beyond the ends."""
    low, high = begin, end - 1
    while high - low > 1:
        middle = (low + high) // 2
        if breaks[middle] <= x:
            low = middle
        else:
            high = middle
    return low - begin


@njit(cache=True, nogil=True)
def find(
    layers: Any, s_breaks: Any, t_breaks: Any, k_breaks: Any, s: float, T: float, theta: float
) -> Any:
    """Return the element of coordinates and theta counted from the first break of its layer.

    ``layers`` has a row for each: first element, and first and last-but-one entry of its breaks in
    s, T and theta.
    """
    n = 0
    while n < len(layers) - 1 and t_breaks[layers[n, 4] - 1] < T:
        n += 1
    first, s0, s1, t0, t1, k0, k1 = layers[n]
    start = k_breaks[k0]
    k = start + (theta - start) % (2 * pi)
    a = _interval(s, s_breaks, s0, s1)
    b = _interval(T, t_breaks, t0, t1)
    c = _interval(k, k_breaks, k0, k1)
    return first + (a * (t1 - t0 - 1) + b) * (k1 - k0 - 1) + c, k


@njit(cache=True, nogil=True)
def locate(
    c: Any,
    layers: Any,
    s_breaks: Any,
    t_breaks: Any,
    k_breaks: Any,
    points: Any,
    conn: Any,
    element: Any,
    at: Any,
) -> None:
    """Write element, -1 where there is none, and coordinates (s, T, theta) of points (n, 3)."""
    slack = 1e-9 * c[RADIUS]
    for i in range(len(points)):
        s, T, k = invert(c, points[i, 0], points[i, 1], points[i, 2])
        element[i] = -1
        if -slack <= T:
            e, k = find(layers, s_breaks, t_breaks, k_breaks, s, max(T, 0.0), k)
            if conn[e, 0] >= 0:
                element[i] = e
        at[i, 0], at[i, 1], at[i, 2] = s, max(T, 0.0), k


@njit(cache=True, nogil=True)
def weights(
    boxes: Any,
    outer: Any,
    nodes_s: Any,
    nodes_t: Any,
    nodes_k: Any,
    element: Any,
    at: Any,
    out: Any,
) -> None:
    """Write the functions of elements at coordinates into out (n, n_functions)."""
    ns, nt, nk = len(nodes_s), len(nodes_t), len(nodes_k)
    S, dS = np.empty((2, ns)), np.empty((2, ns))
    K, dK = np.empty((2, nk)), np.empty((2, nk))
    B, dB = np.empty(nt), np.empty(nt)
    for i in range(len(element)):
        e = element[i]
        if e < 0:
            continue
        h = 0.5 * (boxes[e, 1, 1] - boxes[e, 1, 0])
        _functions(at[i, 0], boxes[e, 0], outer[e, 0], nodes_s, S, dS)
        _functions(at[i, 2], boxes[e, 2], outer[e, 1], nodes_k, K, dK)
        lagrange(nodes_t, (at[i, 1] - boxes[e, 1, 0]) / h - 1.0, B, dB)
        f = 0
        for a in range(ns):
            for b in range(nt):
                far = 1 if b == nt - 1 else 0
                for g in range(nk):
                    out[i, f] = S[far, a] * B[b] * K[far, g]
                    f += 1


@njit(cache=True, nogil=True)
def gradients(
    c: Any,
    boxes: Any,
    outer: Any,
    conn: Any,
    nodes_s: Any,
    nodes_t: Any,
    nodes_k: Any,
    values: Any,
    element: Any,
    at: Any,
    out: Any,
) -> None:
    """Write the gradients of fields with nodal values (n_nodes, N) into out (N, n, 3).

    In the axes of the lead frame; NaN where the element is -1.
    """
    ns, nt, nk = len(nodes_s), len(nodes_t), len(nodes_k)
    S, dS = np.empty((2, ns)), np.empty((2, ns))
    K, dK = np.empty((2, nk)), np.empty((2, nk))
    B, dB = np.empty(nt), np.empty(nt)
    N = values.shape[1]
    u = np.empty((3, N))
    least = 1e-9 * c[RADIUS]
    for i in range(len(element)):
        e = element[i]
        if e < 0:
            out[:, i] = np.nan
            continue
        h = 0.5 * (boxes[e, 1, 1] - boxes[e, 1, 0])
        s, T, k = max(at[i, 0], least), at[i, 1], at[i, 2]
        _functions(s, boxes[e, 0], outer[e, 0], nodes_s, S, dS)
        _functions(k, boxes[e, 2], outer[e, 1], nodes_k, K, dK)
        lagrange(nodes_t, (T - boxes[e, 1, 0]) / h - 1.0, B, dB)
        u[:] = 0.0
        f = 0
        for a in range(ns):
            for b in range(nt):
                far = 1 if b == nt - 1 else 0
                x, y, z = dS[far, a] * B[b], S[far, a] * dB[b] / h, S[far, a] * B[b]
                for g in range(nk):
                    row = values[conn[e, f]]
                    p, q, w = x * K[far, g], y * K[far, g], z * dK[far, g]
                    for j in range(N):
                        u[0, j] += p * row[j]
                        u[1, j] += q * row[j]
                        u[2, j] += w * row[j]
                    f += 1
        r, _, r_s, r_t, r_k, z_s, z_t, z_k = chart(c, s, T, k)
        det = r_s * z_t - z_s * r_t
        ct, st = cos(k), sin(k)
        for j in range(N):
            u_r = (z_t * u[0, j] - z_s * u[1, j]) / det
            u_z = (r_s * u[1, j] - r_t * u[0, j]) / det
            u_k = (u[2, j] - r_k * u_r - z_k * u_z) / r
            out[j, i, 0] = u_r * ct - u_k * st
            out[j, i, 1] = u_r * st + u_k * ct
            out[j, i, 2] = u_z


@njit(cache=True, nogil=True)
def combine(rows: Any, weight: Any, values: Any, out: Any) -> None:
    """Write weighted sums of nodal values (n_nodes, N) into out (N, n); NaN: rows < 0."""
    N = values.shape[1]
    total = np.empty(N)
    for i in range(len(rows)):
        if rows[i, 0] < 0:
            out[:, i] = np.nan
            continue
        total[:] = 0.0
        for f in range(rows.shape[1]):
            for j in range(N):
                total[j] += weight[i, f] * values[rows[i, f], j]
        for j in range(N):
            out[j, i] = total[j]
