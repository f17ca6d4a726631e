# mypy: allow-untyped-defs
"""Tree solves of the linear cable, many placements at once (Numba)."""

from __future__ import annotations

import numpy as np
from numba import njit

LANES = 64  # placements side by side: the innermost loops run over them as float32 vectors


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def respond(
    parent,
    axial,
    which,
    factor,
    inverse,
    memory,
    drive,
    weight,
    near,
    share,
    grows,
    rise,
    out,
    where,
):
    """Step the cable through a waveform and keep the largest scaled deviation of each sign.

    Parameters
    ----------
    parent
        Parent of each compartment, shape (n,), int32.
    axial
        Axial conductance to the parent g (S), shape (n,), float32.
    which
        Row of the three that follow for each step, shape (steps,).
    factor, inverse, memory
        g/d and 1/d of the factorised tree, and C/dt (S), shape (rows, n) each, float32.
    drive
        Amplitude of each step, shape (steps,).
    weight
        1/threshold that deviations are scaled with (0: not judged), shape (steps, n), float32.
    near, share
        Compartment up the tree, shape (n,), whose deviation counts with this share beside the own.
    grows
        Whether only deviations that grow during the step count, shape (steps,).
    rise
        Rise of the outside potential from the parent to the compartment (V), shape
        (blocks, n, LANES), float32.
    out, where
        Filled: largest scaled deviation (plus, minus) and its compartment,
        shape (blocks, 2, LANES), float32 and int32.
    """
    n = parent.shape[0]
    steps = drive.shape[0]
    source = np.empty((n, LANES), np.float32)
    rhs = np.empty((n, LANES), np.float32)
    v = np.empty((n, LANES), np.float32)
    for block in range(rise.shape[0]):
        for b in range(LANES):
            source[0, b] = 0.0
        for c in range(1, n):  # parents stand before their children
            g = axial[c]
            p = parent[c]
            for b in range(LANES):
                source[c, b] = -g * rise[block, c, b]
            for b in range(LANES):
                source[p, b] += g * rise[block, c, b]
        v[:] = 0.0
        plus = np.zeros(LANES, np.float32)
        minus = np.zeros(LANES, np.float32)
        at_plus = np.full(LANES, -1, np.int32)
        at_minus = np.full(LANES, -1, np.int32)
        for c in range(n):
            for b in range(LANES):
                rhs[c, b] = drive[0] * source[c, b]
        for k in range(steps):
            more = k + 1 < steps
            row = which[k]
            after = which[k + 1] if more else row
            free = not grows[k]
            w = drive[k + 1] if more else np.float32(0.0)
            for c in range(n - 1, 0, -1):
                f = factor[row, c]
                p = parent[c]
                for b in range(LANES):
                    rhs[p, b] += f * rhs[c, b]
            for b in range(LANES):
                v[0, b] = rhs[0, b] * inverse[row, 0]
                rhs[0, b] = w * source[0, b] + memory[after, 0] * v[0, b]
            for c in range(1, n):
                f = factor[row, c]
                d = inverse[row, c]
                p = parent[c]
                scale = weight[k, c]
                if scale != 0.0:
                    q = near[c]
                    for b in range(LANES):
                        before = v[c, b]
                        x = rhs[c, b] * d + f * v[p, b]
                        v[c, b] = x
                        both = (x + share * v[q, b]) * scale
                        y = both if free or x > before else np.float32(0.0)
                        z = -both if free or x < before else np.float32(0.0)
                        at_plus[b] = c if y > plus[b] else at_plus[b]
                        plus[b] = y if y > plus[b] else plus[b]
                        at_minus[b] = c if z > minus[b] else at_minus[b]
                        minus[b] = z if z > minus[b] else minus[b]
                else:
                    for b in range(LANES):
                        v[c, b] = rhs[c, b] * d + f * v[p, b]
                if more:  # the right-hand side of the next step
                    m = memory[after, c]
                    for b in range(LANES):
                        rhs[c, b] = w * source[c, b] + m * v[c, b]
        for b in range(LANES):
            out[block, 0, b] = plus[b]
            out[block, 1, b] = minus[b]
            where[block, 0, b] = at_plus[b]
            where[block, 1, b] = at_minus[b]


@njit(cache=True, error_model="numpy")
def factorise(parent, axial, diagonal, factor, inverse):
    """Eliminate from the leaves to the root (Hines 1984); float64, in place of the outputs."""
    n = parent.shape[0]
    d = diagonal.copy()
    for c in range(n - 1, 0, -1):
        factor[c] = axial[c] / d[c]
        d[parent[c]] -= axial[c] * factor[c]
    factor[0] = 0.0
    for c in range(n):
        inverse[c] = 1.0 / d[c]


@njit(cache=True, error_model="numpy")
def solve_double(parent, factor, inverse, x):
    """Replace the right-hand side ``x`` (n,) of one placement by the solution, in float64."""
    n = parent.shape[0]
    for c in range(n - 1, 0, -1):
        x[parent[c]] += factor[c] * x[c]
    x[0] *= inverse[0]
    for c in range(1, n):
        x[c] = x[c] * inverse[c] + factor[c] * x[parent[c]]


@njit(cache=True, error_model="numpy")
def step_double(parent, which, factor, inverse, memory, source, drive, v):
    """Step one placement in float64 through ``drive`` (steps,); returns v (steps, n)."""
    n = parent.shape[0]
    trace = np.empty((drive.shape[0], n))
    for k in range(drive.shape[0]):
        row = which[k]
        for c in range(n):
            v[c] = memory[row, c] * v[c] + drive[k] * source[c]
        solve_double(parent, factor[row], inverse[row], v)
        for c in range(n):
            trace[k, c] = v[c]
    return trace
