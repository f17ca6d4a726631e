"""Kernels of the vector potential (numba)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange


@njit(cache=True, parallel=True, fastmath=True)
def vector_potential(
    points: Any, positions: Any, segments: Any, dipoles: Any, moments: Any, out: Any
) -> None:
    """Write sum dl/|r - r'| + sum m × (r - r')/|r - r'|³ at ``points`` into ``out`` (n, 3)."""
    px, py, pz = positions[:, 0].copy(), positions[:, 1].copy(), positions[:, 2].copy()
    sx, sy, sz = segments[:, 0].copy(), segments[:, 1].copy(), segments[:, 2].copy()
    for i in prange(len(points)):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        ax = ay = az = 0.0
        for j in range(len(px)):
            dx, dy, dz = x - px[j], y - py[j], z - pz[j]
            w = 1.0 / np.sqrt(dx * dx + dy * dy + dz * dz)
            ax += w * sx[j]
            ay += w * sy[j]
            az += w * sz[j]
        for j in range(len(dipoles)):
            dx, dy, dz = x - dipoles[j, 0], y - dipoles[j, 1], z - dipoles[j, 2]
            w = (dx * dx + dy * dy + dz * dz) ** -1.5
            ax += w * (moments[j, 1] * dz - moments[j, 2] * dy)
            ay += w * (moments[j, 2] * dx - moments[j, 0] * dz)
            az += w * (moments[j, 0] * dy - moments[j, 1] * dx)
        out[i, 0], out[i, 1], out[i, 2] = ax, ay, az
