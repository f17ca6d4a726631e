"""Kernels that work on grids around the head, and on poses (numba)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def trilinear(values: Any, low: Any, spacing: float, beyond: float, points: Any, out: Any) -> None:
    """Write the trilinear interpolation of ``values`` into ``out``, ``beyond`` outside the grid."""
    nx, ny, nz = values.shape
    for n in range(len(points)):
        x = (points[n, 0] - low[0]) / spacing
        y = (points[n, 1] - low[1]) / spacing
        z = (points[n, 2] - low[2]) / spacing
        if not (0.0 <= x <= nx - 1 and 0.0 <= y <= ny - 1 and 0.0 <= z <= nz - 1):
            out[n] = beyond
            continue
        i, j, k = min(int(x), nx - 2), min(int(y), ny - 2), min(int(z), nz - 2)
        x, y, z = x - i, y - j, z - k
        out[n] = (1.0 - x) * (
            (1.0 - y) * ((1.0 - z) * values[i, j, k] + z * values[i, j, k + 1])
            + y * ((1.0 - z) * values[i, j + 1, k] + z * values[i, j + 1, k + 1])
        ) + x * (
            (1.0 - y) * ((1.0 - z) * values[i + 1, j, k] + z * values[i + 1, j, k + 1])
            + y * ((1.0 - z) * values[i + 1, j + 1, k] + z * values[i + 1, j + 1, k + 1])
        )


@njit(cache=True, nogil=True)
def _cubic(t: float, w: Any) -> None:
    """Write the weights of the cubic through four points at -1, 0, 1, 2 for 0 <= t <= 1."""
    w[0] = -t * (t - 1.0) * (t - 2.0) / 6.0
    w[1] = (t + 1.0) * (t - 1.0) * (t - 2.0) / 2.0
    w[2] = -(t + 1.0) * t * (t - 2.0) / 2.0
    w[3] = (t + 1.0) * t * (t - 1.0) / 6.0


@njit(cache=True, nogil=True, fastmath=True)
def sum_over_elements(
    values: Any, low: Any, spacing: float, positions: Any, segments: Any, poses: Any, out: Any
) -> int:
    """Add sum_j dl_j · F(r_j) of each pose (n, 4, 4) to ``out`` (n, r); return how many failed.

    F is interpolated by cubics between the points of a grid (nx, ny, nz, 3 r). A pose fails where
    an element lies beyond the outermost cells but one.
    """
    nx, ny, nz, columns = values.shape
    flat = values.reshape(-1)
    outside = 0
    for n in range(len(poses)):
        P = poses[n]
        wx, wy, wz = np.empty(4), np.empty(4), np.empty(4)
        row = np.empty(4 * columns, np.float32)
        inside = True
        for e in range(len(positions)):
            px, py, pz = positions[e, 0], positions[e, 1], positions[e, 2]
            x = (P[0, 0] * px + P[0, 1] * py + P[0, 2] * pz + P[0, 3] - low[0]) / spacing
            y = (P[1, 0] * px + P[1, 1] * py + P[1, 2] * pz + P[1, 3] - low[1]) / spacing
            z = (P[2, 0] * px + P[2, 1] * py + P[2, 2] * pz + P[2, 3] - low[2]) / spacing
            if not (1.0 <= x < nx - 2 and 1.0 <= y < ny - 2 and 1.0 <= z < nz - 2):
                inside = False
                break
            i, j, k = int(x), int(y), int(z)
            _cubic(x - i, wx)
            _cubic(y - j, wy)
            _cubic(z - k, wz)
            row[:] = 0.0
            for a in range(4):
                for b in range(4):
                    w = np.float32(wx[a] * wy[b])
                    start = (((i - 1 + a) * ny + j - 1 + b) * nz + k - 1) * columns
                    for c in range(4 * columns):
                        row[c] += w * flat[start + c]
            sx, sy, sz = segments[e, 0], segments[e, 1], segments[e, 2]
            for d in range(3):
                along = P[d, 0] * sx + P[d, 1] * sy + P[d, 2] * sz
                for r in range(columns // 3):
                    c = 3 * r + d
                    F = wz[0] * row[c] + wz[1] * row[columns + c]
                    F += wz[2] * row[2 * columns + c] + wz[3] * row[3 * columns + c]
                    out[n, r] += along * F
        if not inside:
            outside += 1
    return outside


@njit(cache=True, nogil=True)
def lift_out(
    values: Any,
    low: Any,
    spacing: float,
    beyond: float,
    points: Any,
    poses: Any,
    touch: float,
    lifts: Any,
    gaps: Any,
) -> None:
    """Write how far along its axis each pose must move until all ``points`` are outside the head.

    ``gaps`` takes the smallest distance that the points then have. Parameters up to ``beyond`` as
    for `trilinear`, of the distance from the scalp.
    """
    for n in range(len(poses)):
        P = poses[n]
        at = np.empty((len(points), 3))
        found = np.empty(len(points))
        for m in range(len(points)):
            for d in range(3):
                at[m, d] = P[d, 3]
                for e in range(3):
                    at[m, d] += P[d, e] * points[m, e]
        lift = 0.0
        gap = 0.0
        for _ in range(100):  # a step is at most what is left, so it never goes too far
            trilinear(values, low, spacing, beyond, at, found)
            gap = found.min()
            if gap >= 0.0:
                break
            step = touch - gap
            lift += step
            for m in range(len(points)):
                for d in range(3):
                    at[m, d] += step * P[d, 2]
        lifts[n] = lift
        gaps[n] = gap
