"""Kernels of the transposed solution chain (numba)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from rheobase.fields._assembly_numba import gradients, turned


@njit(cache=True, nogil=True)
def transposed_gradient(rows: Any, patch: Any, weight: Any, w: Any, out: Any) -> None:
    """Add R^T w to ``out`` (n_nodes,), R the recovery and w (n_split, 3) a weight of each row."""
    for s in range(len(rows)):
        x, y, z = w[rows[s], 0], w[rows[s], 1], w[rows[s], 2]
        if x == 0.0 and y == 0.0 and z == 0.0:
            continue
        own = 0.0
        for q in range(1, patch.shape[1]):
            t = weight[s, q, 0] * x + weight[s, q, 1] * y + weight[s, q, 2] * z
            out[patch[s, q]] += t
            own += t
        out[patch[s, 0]] -= own


@njit(cache=True, nogil=True)
def shared_flux(
    nodes: Any, tets: Any, corners: Any, sigma: Any, tensor: Any, R: Any, v: Any, out: Any
) -> None:
    """Add a quarter of ∫ sigma R grad(v) of each tetrahedron to the rows of its ``corners``.

    v has shape (n_nodes,); ``corners`` (n_tets, 4) are rows of ``out`` (m, 3).
    """
    g = np.empty((4, 3))
    for t in range(len(tets)):
        factor = 0.25 * sigma[t] * gradients(nodes, tets[t], g)
        x = y = z = 0.0
        for a in range(4):
            value = factor * v[tets[t, a]]
            x += value * g[a, 0]
            y += value * g[a, 1]
            z += value * g[a, 2]
        x, y, z = turned(R, tensor[t], x, y, z)
        for a in range(4):
            c = corners[t, a]
            out[c, 0] += x
            out[c, 1] += y
            out[c, 2] += z
