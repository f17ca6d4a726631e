"""The largest modulation by brute force: what the search of rheobase is held against.

20000 directions (1 degree apart) are tried; the best 256 are divided into nine each, the best 256
of those again, and so on down to 2e-5 rad. Of rheobase only the modulation along a direction is
used, which its tests hold against the analytic signal.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from rheobase.fields._interference_numba import along, extremes, forms
from rheobase.fields.interference import Carriers

DIRECTIONS = 20_000
KEPT, LEVELS = 256, 6
SAMPLES = 16  # of a period of the fastest part


@njit(cache=True, nogil=True)
def _all(C: Any, S: Any, D: Any, c: Any, s: Any, cos_t: Any, sin_t: Any, q: Any, F: Any) -> None:
    """Write the modulation along the unit vectors D (n, 3)."""
    for d in range(len(D)):
        along(C, S, D[d, 0], D[d, 1], D[d, 2], c, s)
        top, _, low, _ = extremes(c, s, cos_t, sin_t, q)
        F[d] = np.sqrt(max(top, 0.0)) - np.sqrt(max(low, 0.0))


@njit(cache=True, nogil=True, fastmath=True)
def _sampled(C: Any, S: Any, W: Any, cos_t: Any, sin_t: Any, q: Any, F: Any) -> None:
    """Write about the modulation along directions with the products W (n, 6), by the samples."""
    degree, n_t = cos_t.shape
    c, s = np.empty(degree, np.float32), np.empty(degree, np.float32)
    for d in range(len(W)):
        for m in range(degree):
            a = b = np.float32(0.0)
            for j in range(6):
                a += np.float32(C[m, j]) * W[d, j]
                b += np.float32(S[m, j]) * W[d, j]
            c[m], s[m] = a, b
        for j in range(n_t):
            q[j] = c[0]
        for m in range(1, degree):
            for j in range(n_t):
                q[j] += c[m] * cos_t[m, j] + s[m] * sin_t[m, j]
        top, low = q[0], q[0]
        for j in range(n_t):
            top, low = max(top, q[j]), min(low, q[j])
        F[d] = np.sqrt(max(top, np.float32(0.0))) - np.sqrt(max(low, np.float32(0.0)))


@njit(cache=True, nogil=True)
def _search(
    E: Any, D: Any, W: Any, band: Any, order: Any, phase: Any, cos_t: Any, sin_t: Any, out: Any
) -> None:
    degree, n_t = cos_t.shape
    cos_32, sin_32 = cos_t.astype(np.float32), sin_t.astype(np.float32)
    C, S = np.empty((degree, 6)), np.empty((degree, 6))
    c, s, q, q_32 = np.empty(degree), np.empty(degree), np.empty(n_t), np.empty(n_t, np.float32)
    F, value, near = np.empty(len(D)), np.empty(9 * KEPT), np.empty((9 * KEPT, 3))
    for i in range(E.shape[1]):
        forms(E, i, order, band, phase, C, S)
        _sampled(C, S, W, cos_32, sin_32, q_32, F)
        kept = D[np.argsort(-F)[:KEPT]]
        reach = np.sqrt(2.0 * np.pi / len(D)) / 3.0
        for _ in range(LEVELS):
            for k in range(KEPT):
                n = kept[k]
                u = np.zeros(3)
                u[np.abs(n).argmin()] = 1.0
                u -= (u @ n) * n
                u /= np.sqrt(u @ u)
                v = np.cross(n, u)
                for j in range(9):
                    x = n + reach * ((j // 3 - 1) * u + (j % 3 - 1) * v)
                    near[9 * k + j] = x / np.sqrt(x @ x)
            _all(C, S, near, c, s, cos_t, sin_t, q, value)
            kept = near[np.argsort(-value)[:KEPT]]
            reach /= 3.0
        out[i] = value.max()


def brute_force(E: NDArray[np.float64], carriers: Carriers) -> NDArray[np.float64]:
    """Return the largest modulation of the fields E (k, n, 3) at each of n nodes, shape (n,)."""
    i = np.arange(DIRECTIONS) + 0.5
    z, angle = i / DIRECTIONS, np.pi * (1 + 5**0.5) * i
    r = np.sqrt(1 - z * z)
    D = np.stack([r * np.cos(angle), r * np.sin(angle), z], axis=1)
    x, y, z = D.T
    W = np.stack([x * x, y * y, z * z, 2 * x * y, 2 * x * z, 2 * y * z], axis=1)
    n_t = SAMPLES * int(carriers.order.max())
    angle = np.arange(carriers.order.max() + 1)[:, None] * (2 * np.pi / n_t * np.arange(n_t))
    out = np.empty(E.shape[1])
    _search(
        np.ascontiguousarray(E),
        D,
        W.astype(np.float32),
        carriers.band,
        carriers.order,
        carriers.phase,
        np.cos(angle),
        np.sin(angle),
        out,
    )
    return out
