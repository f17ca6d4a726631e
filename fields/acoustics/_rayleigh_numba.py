"""Kernels of the Rayleigh integral (numba).

A pair of a target and a point of the source takes one square root, one division and about forty
multiplications and additions: e^{-ikr} from Taylor polynomials of half the phase, brought within a
quarter turn (error below 1e-12), without a call or a branch, so that the loop runs on vectors. The
pairs of one target and a block of the source are kept, and every drive uses them.
"""

from __future__ import annotations

from math import factorial, pi
from typing import Any

import numpy as np
from numba import njit

BLOCK = 512  # points of the source at once
DEEPEST = 32.0  # e^-32 is nothing
HALVINGS = 6  # e^-x as (e^{-x/64})^64
S1, S2, S3, S4, S5, S6, S7 = ((-1.0) ** n / factorial(2 * n + 1) for n in range(1, 8))
C1, C2, C3, C4, C5, C6, C7, C8 = ((-1.0) ** n / factorial(2 * n) for n in range(1, 9))
E1, E2, E3, E4, E5, E6, E7, E8, E9, E10 = ((-1.0) ** n / factorial(n) for n in range(1, 11))


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _waves(
    px: float, py: float, pz: float, x: Any, y: Any, z: Any, k: float, r: Any, re: Any, im: Any
) -> None:
    """Write the distances r and e^{-ikr}/r of one target and a block of points."""
    turns = k / (2 * pi)
    for j in range(len(x)):
        dx, dy, dz = px - x[j], py - y[j], pz - z[j]
        d = np.sqrt(dx * dx + dy * dy + dz * dz)
        t = turns * d
        h = pi * (t - np.floor(t + 0.5))
        q = h * h
        s = h * (1 + q * (S1 + q * (S2 + q * (S3 + q * (S4 + q * (S5 + q * (S6 + q * S7)))))))
        c = C4 + q * (C5 + q * (C6 + q * (C7 + q * C8)))
        c = 1 + q * (C1 + q * (C2 + q * (C3 + q * c)))
        g = 1 / d
        r[j] = d
        re[j] = (1 - 2 * s * s) * g
        im[j] = -2 * s * c * g


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _decay(alpha: float, r: Any, re: Any, im: Any) -> None:
    """Multiply by e^{-alpha r}."""
    for j in range(len(r)):
        q = min(alpha * r[j], DEEPEST) / 2**HALVINGS
        e = E5 + q * (E6 + q * (E7 + q * (E8 + q * (E9 + q * E10))))
        e = 1 + q * (E1 + q * (E2 + q * (E3 + q * (E4 + q * e))))
        e = e * e
        e = e * e
        e = e * e
        e = e * e
        e = e * e
        e = e * e
        re[j] *= e
        im[j] *= e


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _slopes(
    target: Any,
    normal: Any,
    x: Any,
    y: Any,
    z: Any,
    k: float,
    alpha: float,
    r: Any,
    re: Any,
    im: Any,
) -> None:
    """Turn e^{-ikr}/r into its derivative along the target's normal."""
    px, py, pz = target[0], target[1], target[2]
    nx, ny, nz = normal[0], normal[1], normal[2]
    for j in range(len(x)):
        g = 1 / r[j]
        along = -g * (nx * (px - x[j]) + ny * (py - y[j]) + nz * (pz - z[j]))
        a, b = along * (g + alpha), along * k
        u, v = re[j], im[j]
        re[j] = a * u - b * v
        im[j] = a * v + b * u


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _dot(re: Any, im: Any, wr: Any, wi: Any) -> tuple[float, float]:
    """Return the sum of the products of two rows of complex numbers."""
    u, v = 0.0, 0.0
    for j in range(len(re)):
        u += re[j] * wr[j] - im[j] * wi[j]
        v += re[j] * wi[j] + im[j] * wr[j]
    return u, v


@njit(cache=True, nogil=True)
def integrate(
    targets: Any,
    normals: Any,
    x: Any,
    y: Any,
    z: Any,
    wr: Any,
    wi: Any,
    firsts: Any,
    k: float,
    alpha: float,
    out: Any,
) -> None:
    """Write sum_j w_j e^{-ikr - alpha r}/r for each target, drive and element.

    Parameters
    ----------
    targets
        Shape (n, 3).
    normals
        Shape (n, 3): the derivative along them is taken; no rows: the sum itself.
    x, y, z
        Points of the source, shape (m,).
    wr, wi
        Real and imaginary weights of each drive, shape (n_drives, m).
    firsts
        First point of each element and m, shape (n_elements + 1,).
    k, alpha
        Wavenumber (rad/m) and loss (Np/m).
    out
        Complex, shape (n, n_drives, n_elements).
    """
    r, re, im = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    for i in range(len(targets)):
        p = targets[i]
        for e in range(len(firsts) - 1):
            out[i, :, e] = 0.0
            for first in range(firsts[e], firsts[e + 1], BLOCK):
                last = min(first + BLOCK, firsts[e + 1])
                m = last - first
                bx, by, bz = x[first:last], y[first:last], z[first:last]
                _waves(p[0], p[1], p[2], bx, by, bz, k, r[:m], re[:m], im[:m])
                if alpha > 0.0:
                    _decay(alpha, r[:m], re[:m], im[:m])
                if len(normals):
                    _slopes(p, normals[i], bx, by, bz, k, alpha, r[:m], re[:m], im[:m])
                for d in range(len(wr)):
                    u, v = _dot(re[:m], im[:m], wr[d, first:last], wi[d, first:last])
                    out[i, d, e] += complex(u, v)
