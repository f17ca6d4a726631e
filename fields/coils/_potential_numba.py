"""Kernels of the vector potential (numba)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

EDGE = 1e-6  # voxels beyond the outermost centres that still count as inside (rounding)


@njit(cache=True, nogil=True, fastmath=True)
def vector_potential(
    points: Any, positions: Any, segments: Any, dipoles: Any, moments: Any, out: Any
) -> None:
    """Write sum dl/|r - r'| + sum m × (r - r')/|r - r'|³ at ``points`` into ``out`` (n, 3)."""
    px, py, pz = positions[:, 0].copy(), positions[:, 1].copy(), positions[:, 2].copy()
    sx, sy, sz = segments[:, 0].copy(), segments[:, 1].copy(), segments[:, 2].copy()
    qx, qy, qz = dipoles[:, 0].copy(), dipoles[:, 1].copy(), dipoles[:, 2].copy()
    mx, my, mz = moments[:, 0].copy(), moments[:, 1].copy(), moments[:, 2].copy()
    for i in range(len(points)):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        ax = ay = az = 0.0
        for j in range(len(px)):
            dx, dy, dz = x - px[j], y - py[j], z - pz[j]
            w = 1.0 / np.sqrt(dx * dx + dy * dy + dz * dz)
            ax += w * sx[j]
            ay += w * sy[j]
            az += w * sz[j]
        for j in range(len(qx)):
            dx, dy, dz = x - qx[j], y - qy[j], z - qz[j]
            w = 1.0 / np.sqrt(dx * dx + dy * dy + dz * dz)
            w *= w * w
            ax += w * (my[j] * dz - mz[j] * dy)
            ay += w * (mz[j] * dx - mx[j] * dz)
            az += w * (mx[j] * dy - my[j] * dx)
        out[i, 0], out[i, 1], out[i, 2] = ax, ay, az


@njit(cache=True, nogil=True)
def interpolate(points: Any, to_index: Any, values: Any, out: Any) -> int:
    """Write the trilinear interpolation of ``values`` into ``out``; return how many are outside."""
    outside = 0
    n = values.shape
    first = np.empty(3, np.int64)
    part = np.empty(3)
    for i in range(len(points)):
        inside = True
        for a in range(3):
            at = to_index[a, 3]
            for b in range(3):
                at += to_index[a, b] * points[i, b]
            if not (-EDGE <= at <= n[a] - 1 + EDGE):
                inside = False
                break
            first[a] = min(max(int(np.floor(at)), 0), n[a] - 2)
            part[a] = min(max(at - first[a], 0.0), 1.0)
        if not inside:
            outside += 1
            continue
        for c in range(3):
            total = 0.0
            for u in range(2):
                for v in range(2):
                    for w in range(2):
                        weight = (
                            (part[0] if u else 1.0 - part[0])
                            * (part[1] if v else 1.0 - part[1])
                            * (part[2] if w else 1.0 - part[2])
                        )
                        total += weight * values[first[0] + u, first[1] + v, first[2] + w, c]
            out[i, c] = total
    return outside
