"""Kernels of the field modes (numba)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, fastmath=True)
def dipole_potential(points: Any, dipoles: Any, moments: Any, out: Any) -> None:
    """Write m × (r - r')/|r - r'|³ of each dipole alone at points (n, 3) into (n, 3, n_dipoles)."""
    for i in range(len(points)):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        for j in range(len(dipoles)):
            dx, dy, dz = x - dipoles[j, 0], y - dipoles[j, 1], z - dipoles[j, 2]
            w = 1.0 / np.sqrt(dx * dx + dy * dy + dz * dz)
            w *= w * w
            out[i, 0, j] = w * (moments[j, 1] * dz - moments[j, 2] * dy)
            out[i, 1, j] = w * (moments[j, 2] * dx - moments[j, 0] * dz)
            out[i, 2, j] = w * (moments[j, 0] * dy - moments[j, 1] * dx)


@njit(cache=True, nogil=True, fastmath=True)
def dipole_field(points: Any, dipoles: Any, moments: Any, out: Any) -> None:
    """Write (3 (m·d) d/|d|² - m)/|d|³, d = r - r', of each dipole into (n, 3, n_dipoles)."""
    for i in range(len(points)):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        for j in range(len(dipoles)):
            dx, dy, dz = x - dipoles[j, 0], y - dipoles[j, 1], z - dipoles[j, 2]
            mx, my, mz = moments[j, 0], moments[j, 1], moments[j, 2]
            square = dx * dx + dy * dy + dz * dz
            w = 1.0 / (square * np.sqrt(square))
            along = 3.0 * w * (mx * dx + my * dy + mz * dz) / square
            out[i, 0, j] = along * dx - w * mx
            out[i, 1, j] = along * dy - w * my
            out[i, 2, j] = along * dz - w * mz


@njit(cache=True, nogil=True, fastmath=True)
def line_field(points: Any, positions: Any, segments: Any, poses: Any, out: Any) -> None:
    """Write sum dl × (r - r')/|r - r'|³ of a coil at poses (m, 4, 4) into ``out`` (m, n, 3)."""
    for p in range(len(poses)):
        P = poses[p]
        at, dl = np.empty((len(positions), 3)), np.empty((len(positions), 3))
        for j in range(len(positions)):
            for a in range(3):
                at[j, a] = P[a, 3]
                dl[j, a] = 0.0
                for b in range(3):
                    at[j, a] += P[a, b] * positions[j, b]
                    dl[j, a] += P[a, b] * segments[j, b]
        ax, ay, az = at[:, 0].copy(), at[:, 1].copy(), at[:, 2].copy()
        lx, ly, lz = dl[:, 0].copy(), dl[:, 1].copy(), dl[:, 2].copy()
        for i in range(len(points)):
            x, y, z = points[i, 0], points[i, 1], points[i, 2]
            bx = by = bz = 0.0
            for j in range(len(ax)):
                dx, dy, dz = x - ax[j], y - ay[j], z - az[j]
                w = 1.0 / np.sqrt(dx * dx + dy * dy + dz * dz)
                w *= w * w
                bx += w * (ly[j] * dz - lz[j] * dy)
                by += w * (lz[j] * dx - lx[j] * dz)
                bz += w * (lx[j] * dy - ly[j] * dx)
            out[p, i, 0], out[p, i, 1], out[p, i, 2] = bx, by, bz
