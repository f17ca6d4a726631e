"""Kernels of the field basis: interpolation and nodal volumes (numba)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def interpolate(E: Any, split_of_tet: Any, tet: Any, weight: Any, out: Any) -> None:
    """Write the linear interpolant of E (k, n_split, 3) at located points into out (k, n, 3)."""
    for k in range(E.shape[0]):
        for p in range(len(tet)):
            t = tet[p]
            for j in range(3):
                if t < 0:
                    out[k, p, j] = np.nan
                    continue
                e = 0.0
                for a in range(4):
                    e += weight[p, a] * E[k, split_of_tet[t, a], j]
                out[k, p, j] = e


@njit(cache=True)
def split_volumes(volumes: Any, split_of_tet: Any, n: int) -> Any:
    """Return a quarter of the volume of the tetrahedra around each split node (m³)."""
    out = np.zeros(n)
    for t in range(len(volumes)):
        for a in range(4):
            out[split_of_tet[t, a]] += 0.25 * volumes[t]
    return out
