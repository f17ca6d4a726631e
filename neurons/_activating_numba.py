# mypy: allow-untyped-defs
"""The node-chance rule on a tree (Numba)."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def node_chance(parent, length, scale, used, sure, f, level, run):
    """Return the chance that a stretch with ``f >= level`` holds a node.

    Runs are joined over the edges of the tree; ``f`` is linear along an edge. A run of summed
    length over internode R holds a node with chance min(1, R); independent runs multiply. A
    compartment in ``sure`` (an end or a branch point with a node) counts as 1.

    ``parent`` (n,), ``length`` and ``scale`` of the edge to the parent (n,), ``used``, ``sure``
    (n,), ``f`` (n,), work array ``run`` (n,).
    """
    n = parent.shape[0]
    total = np.zeros(n)
    for c in range(n):
        run[c] = -1
        if not used[c]:
            continue
        above = f[c] >= level
        if above and sure[c]:
            return 1.0
        p = parent[c]
        joined = p >= 0 and used[p]
        if above:
            run[c] = run[p] if joined and run[p] >= 0 else c
        if not joined:
            continue
        share = length[c] / scale[c]
        if above and run[p] >= 0:
            total[run[c]] += share
        elif above:
            total[run[c]] += share * (f[c] - level) / (f[c] - f[p])
        elif run[p] >= 0:
            total[run[p]] += share * (f[p] - level) / (f[p] - f[c])
    silent = 1.0
    for c in range(n):
        if run[c] == c:
            silent *= 1.0 - min(1.0, total[c])
    return 1.0 - silent


@njit(cache=True, nogil=True, error_model="numpy")
def activating_function(parent, axial_weight, rise, block, lane, sign, f):
    """Fill ``f`` (n,) with sum_j W_cj (V_j - V_c) for one placement, W the weight of each edge.

    ``axial_weight`` (n, 2): weight of the edge to the parent in the child's and the parent's sum.
    """
    n = parent.shape[0]
    for c in range(n):
        f[c] = 0.0
    for c in range(1, n):
        d = sign * rise[block, c, lane]
        f[c] -= axial_weight[c, 0] * d
        f[parent[c]] += axial_weight[c, 1] * d


@njit(cache=True, nogil=True, error_model="numpy")
def chance_thresholds(parent, axial_weight, length, scale, used, sure, rise, level, u, out, where):
    """Fill ``out`` (2, m) with the amplitude at which the chance of a node reaches ``u`` (m,).

    The chance grows with amplitude, so bisection finds the threshold; inf where it never does.
    """
    n = parent.shape[0]
    lanes = rise.shape[2]
    f = np.empty(n)
    run = np.empty(n, np.int64)
    for i in range(u.shape[0]):
        for k in range(2):
            sign = 1.0 if k == 0 else -1.0
            activating_function(parent, axial_weight, rise, i // lanes, i % lanes, sign, f)
            best = -1
            for c in range(n):
                if used[c] and (best < 0 or f[c] > f[best]):
                    best = c
            where[k, i] = best
            out[k, i] = np.inf
            if best < 0 or not f[best] > 0.0:
                continue
            low = level / f[best]  # nothing is above the level below this amplitude
            high = low
            p = node_chance(parent, length, scale, used, sure, f, level / high, run)
            for _ in range(60):
                if p >= u[i]:
                    break
                low = high
                high *= 2.0
                p = node_chance(parent, length, scale, used, sure, f, level / high, run)
            if p < u[i]:
                continue
            for _ in range(40):
                if high - low <= 1e-6 * high:
                    break
                middle = 0.5 * (low + high)
                if node_chance(parent, length, scale, used, sure, f, level / middle, run) >= u[i]:
                    high = middle
                else:
                    low = middle
            out[k, i] = high
