# mypy: allow-untyped-defs
"""The tree at one frequency, many placements at once (Numba)."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def respond_sites(parent, axial, factor, inverse, reach, site, share, rise, largest, mean):
    """Solve the tree for each placement and keep what its sites deviate by.

    Parameters
    ----------
    parent
        Parent of each compartment, shape (n,).
    axial
        Axial conductance to the parent g (S), shape (n,).
    factor, inverse
        g/d and 1/d of the factorised tree at the frequency, shape (n,), complex.
    reach
        Part of the rise from the parent by which the outside potential goes on to the end of the
        compartment, shape (n,): 0 where its middle is looked at.
    site, share
        Site that each compartment belongs to, -1 for none, and its part in the mean, shape (n,).
    rise
        Rise of the outside potential from the parent (V), shape (blocks, n, lanes), float32.
    largest, mean
        Filled: deviation of largest modulus and mean one, shape (blocks, sites, lanes), complex;
        both come as zeros.
    """
    n = parent.shape[0]
    lanes = rise.shape[2]
    x = np.empty((n, lanes), np.complex128)
    for block in range(rise.shape[0]):
        x[:] = 0.0
        for c in range(n - 1, 0, -1):
            f = factor[c]
            g = axial[c]
            p = parent[c]
            for b in range(lanes):
                jump = g * rise[block, c, b]
                x[c, b] -= jump
                x[p, b] += jump + f * x[c, b]
        for b in range(lanes):
            x[0, b] *= inverse[0]
        for c in range(n):
            if c > 0:
                f = factor[c]
                d = inverse[c]
                p = parent[c]
                for b in range(lanes):
                    x[c, b] = x[c, b] * d + f * x[p, b]
            s = site[c]
            if s < 0:
                continue
            for b in range(lanes):
                v = x[c, b] - reach[c] * rise[block, c, b]
                mean[block, s, b] += share[c] * v
                best = largest[block, s, b]
                if v.real**2 + v.imag**2 > best.real**2 + best.imag**2:
                    largest[block, s, b] = v
