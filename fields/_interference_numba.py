"""Kernels of temporal interference: envelopes of any number of carriers (numba).

Symmetric 3 x 3 matrices are packed as xx, yy, zz, xy, xz, yz. The squared envelope along n at the
phase t of the beat is n·M(t)n with M(t) = sum over m of C[m] cos(m t) + S[m] sin(m t).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

NEWTON = 30  # most steps for an extreme in time, or for a point of an ellipse
STEPS = 60  # most steps of the search for a direction


@njit(cache=True, nogil=True)
def two_fields(E1: Any, E2: Any, out: Any) -> None:
    """Write the largest modulation of two fields (n, 3), peak to peak, in closed form."""
    for i in range(len(E1)):
        ax, ay, az = E1[i, 0], E1[i, 1], E1[i, 2]
        bx, by, bz = E2[i, 0], E2[i, 1], E2[i, 2]
        a, b = ax * ax + ay * ay + az * az, bx * bx + by * by + bz * bz
        dot = ax * bx + ay * by + az * bz
        least = min(a, b)
        if least <= abs(dot):
            out[i] = 2.0 * np.sqrt(least)
            continue
        sign = 1.0 if dot >= 0.0 else -1.0
        cx, cy, cz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        gx, gy, gz = ax - sign * bx, ay - sign * by, az - sign * bz
        out[i] = 2.0 * np.sqrt((cx * cx + cy * cy + cz * cz) / (gx * gx + gy * gy + gz * gz))


@njit(cache=True, nogil=True)
def forms(E: Any, i: int, order: Any, band: Any, phase: Any, C: Any, S: Any) -> None:
    """Write C and S (D + 1, 6) of node ``i`` of the fields E (k, n, 3)."""
    C[:] = 0.0
    S[:] = 0.0
    for k in range(E.shape[0]):
        ax, ay, az = E[k, i, 0], E[k, i, 1], E[k, i, 2]
        for l in range(k + 1):  # noqa: E741
            if band[k] != band[l]:
                continue
            bx, by, bz = E[l, i, 0], E[l, i, 1], E[l, i, 2]
            m, turn = order[k] - order[l], phase[k] - phase[l]
            if m < 0:
                m, turn = -m, -turn
            scale = 1.0 if k == l else 2.0
            c, s = scale * np.cos(turn), -scale * np.sin(turn)
            p = (
                ax * bx,
                ay * by,
                az * bz,
                0.5 * (ax * by + ay * bx),
                0.5 * (ax * bz + az * bx),
                0.5 * (ay * bz + az * by),
            )
            for j in range(6):
                C[m, j] += c * p[j]
                if m > 0:
                    S[m, j] += s * p[j]


@njit(cache=True, nogil=True)
def along(C: Any, S: Any, x: float, y: float, z: float, c: Any, s: Any) -> None:
    """Write the coefficients of n·M(t)n for the unit vector n = (x, y, z)."""
    w = (x * x, y * y, z * z, 2.0 * x * y, 2.0 * x * z, 2.0 * y * z)
    for m in range(len(c)):
        a = b = 0.0
        for j in range(6):
            a += C[m, j] * w[j]
            b += S[m, j] * w[j]
        c[m], s[m] = a, b


@njit(cache=True, nogil=True)
def polished(c: Any, s: Any, t: float, width: float, sign: float) -> Any:
    """Return value and place of the extreme (sign 1: largest) of a polynomial within t ± width."""
    low, high = t - width, t + width
    for _ in range(NEWTON):
        cos1, sin1 = np.cos(t), np.sin(t)
        u, v = 1.0, 0.0
        first = second = 0.0
        for m in range(1, len(c)):
            u, v = u * cos1 - v * sin1, u * sin1 + v * cos1
            first += m * (s[m] * u - c[m] * v)
            second -= m * m * (c[m] * u + s[m] * v)
        if sign * first > 0.0:
            low = t
        else:
            high = t
        new = t - first / second if sign * second < 0.0 else low
        if not low < new < high:
            new = 0.5 * (low + high)
        done = abs(new - t) < 1e-9  # and 1e-18 in the value
        t = new
        if done:
            break
    cos1, sin1 = np.cos(t), np.sin(t)
    u, v = 1.0, 0.0
    q = c[0]
    for m in range(1, len(c)):
        u, v = u * cos1 - v * sin1, u * sin1 + v * cos1
        q += c[m] * u + s[m] * v
    return q, t


@njit(cache=True, nogil=True)
def extremes(c: Any, s: Any, cos_t: Any, sin_t: Any, q: Any) -> Any:
    """Return (largest, its place, smallest, its place) of a trigonometric polynomial.

    Parameters
    ----------
    c, s
        Its coefficients, shape (D + 1,).
    cos_t, sin_t
        cos(m t) and sin(m t) of sampled t over a period, shape (D + 1, n).
    q
        Scratch, shape (n,).
    """
    if len(c) == 2:
        size, t = np.hypot(c[1], s[1]), np.arctan2(s[1], c[1])
        return c[0] + size, t, c[0] - size, t + np.pi
    n = cos_t.shape[1]
    q[:] = c[0]
    for m in range(1, len(c)):
        for j in range(n):
            q[j] += c[m] * cos_t[m, j] + s[m] * sin_t[m, j]
    step = 2.0 * np.pi / n
    bend = 0.0  # bounds the second derivative
    for m in range(1, len(c)):
        bend += m * m * (abs(c[m]) + abs(s[m]))
    reach = 0.125 * step * step * bend  # how far an extreme may be above its sample
    most, least = q.max() - reach, q.min() + reach
    top, top_t, low, low_t = -np.inf, 0.0, np.inf, 0.0
    for j in range(n):
        before, here, after = q[j - 1], q[j], q[(j + 1) % n]
        if here >= most and here >= before and here >= after:
            value, t = polished(c, s, j * step, step, 1.0)
            if value > top:
                top, top_t = value, t
        if here <= least and here <= before and here <= after:
            value, t = polished(c, s, j * step, step, -1.0)
            if value < low:
                low, low_t = value, t
    return top, top_t, low, low_t


@njit(cache=True, nogil=True)
def modulation_along(
    E: Any,
    order: Any,
    band: Any,
    phase: Any,
    n: Any,
    cos_t: Any,
    sin_t: Any,
    begin: int,
    end: int,
    out: Any,
) -> None:
    """Write the modulation of the fields E (k, n, 3) along unit vectors n (n, 3).

    Here and below only that of the points from ``begin`` to before ``end`` is written.
    """
    degree = cos_t.shape[0]
    C, S = np.empty((degree, 6)), np.empty((degree, 6))
    c, s, q = np.empty(degree), np.empty(degree), np.empty(cos_t.shape[1])
    for i in range(begin, end):
        forms(E, i, order, band, phase, C, S)
        along(C, S, n[i, 0], n[i, 1], n[i, 2], c, s)
        top, _, low, _ = extremes(c, s, cos_t, sin_t, q)
        out[i] = np.sqrt(max(top, 0.0)) - np.sqrt(max(low, 0.0))


@njit(cache=True, nogil=True)
def at_instant(C: Any, S: Any, t: float, M: Any, dM: Any) -> None:
    """Write M(t) and its derivative, packed."""
    cos1, sin1 = np.cos(t), np.sin(t)
    u, v = 1.0, 0.0
    for j in range(6):
        M[j], dM[j] = C[0, j], 0.0
    for m in range(1, len(C)):
        u, v = u * cos1 - v * sin1, u * sin1 + v * cos1
        for j in range(6):
            M[j] += C[m, j] * u + S[m, j] * v
            dM[j] += m * (S[m, j] * u - C[m, j] * v)


@njit(cache=True, nogil=True)
def times(M: Any, v: Any, out: Any) -> None:
    """Write the product of a packed matrix and a vector."""
    out[0] = M[0] * v[0] + M[3] * v[1] + M[4] * v[2]
    out[1] = M[3] * v[0] + M[1] * v[1] + M[5] * v[2]
    out[2] = M[4] * v[0] + M[5] * v[1] + M[2] * v[2]


@njit(cache=True, nogil=True)
def dot(a: Any, b: Any) -> Any:
    """Return the scalar product of two vectors."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@njit(cache=True, nogil=True)
def eigen(M: Any, A: Any, V: Any) -> None:
    """Write eigenvalues (the diagonal of A) and eigenvectors (columns of V), by Jacobi."""
    A[0, 0], A[1, 1], A[2, 2] = M[0], M[1], M[2]
    A[0, 1] = A[1, 0] = M[3]
    A[0, 2] = A[2, 0] = M[4]
    A[1, 2] = A[2, 1] = M[5]
    V[:] = 0.0
    V[0, 0] = V[1, 1] = V[2, 2] = 1.0
    for _ in range(12):
        off = A[0, 1] ** 2 + A[0, 2] ** 2 + A[1, 2] ** 2
        if off <= 1e-32 * (A[0, 0] ** 2 + A[1, 1] ** 2 + A[2, 2] ** 2):
            break
        for p in range(2):
            for r in range(p + 1, 3):
                if A[p, r] == 0.0:
                    continue
                theta = 0.5 * (A[r, r] - A[p, p]) / A[p, r]
                t = 1.0 / (abs(theta) + np.sqrt(theta * theta + 1.0))
                if theta < 0.0:
                    t = -t
                cos = 1.0 / np.sqrt(t * t + 1.0)
                sin = t * cos
                for k in range(3):
                    a, b = A[k, p], A[k, r]
                    A[k, p], A[k, r] = cos * a - sin * b, sin * a + cos * b
                for k in range(3):
                    a, b = A[p, k], A[r, k]
                    A[p, k], A[r, k] = cos * a - sin * b, sin * a + cos * b
                for k in range(3):
                    a, b = V[k, p], V[k, r]
                    V[k, p], V[k, r] = cos * a - sin * b, sin * a + cos * b


@njit(cache=True, nogil=True)
def amplitude_max(
    E: Any,
    order: Any,
    band: Any,
    phase: Any,
    cos_t: Any,
    sin_t: Any,
    begin: int,
    end: int,
    out: Any,
) -> None:
    """Write the largest amplitude of the fields E (k, n, 3), over the beat and all directions.

    At an instant it is the root of the largest eigenvalue of M(t). From each largest sample the
    best direction at an instant and the best instant along it are found in turns.
    """
    degree, n_t = cos_t.shape[0], cos_t.shape[1]
    C, S = np.empty((degree, 6)), np.empty((degree, 6))
    c, s, q = np.empty(degree), np.empty(degree), np.empty(n_t)
    size, work = np.empty(n_t), np.empty((8, 6))
    A, V = work[2:5, :3], work[5:8, :3]
    for i in range(begin, end):
        forms(E, i, order, band, phase, C, S)
        for j in range(n_t):
            at_instant(C, S, 2.0 * np.pi * j / n_t, work[0], work[1])
            eigen(work[0], A, V)
            size[j] = max(A[0, 0], A[1, 1], A[2, 2])
        best = 0.0
        for j in range(n_t):
            if size[j] < size[j - 1] or size[j] < size[(j + 1) % n_t]:
                continue
            t, found = 2.0 * np.pi * j / n_t, size[j]
            for _ in range(STEPS):
                at_instant(C, S, t, work[0], work[1])
                eigen(work[0], A, V)
                k = 0
                for a in range(1, 3):
                    k = a if A[a, a] > A[k, k] else k
                along(C, S, V[0, k], V[1, k], V[2, k], c, s)
                top, t, _, _ = extremes(c, s, cos_t, sin_t, q)
                done = top <= found * (1.0 + 1e-12)
                found = max(found, top)
                if done:
                    break
            best = max(best, found)
        out[i] = np.sqrt(max(best, 0.0))
