"""Kernel that samples smoothed label images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def sample_trilinear(volume: Any, inverse: Any, points: Any, out: Any) -> None:
    """Interpolate ``volume`` (nx, ny, nz, n) at world ``points`` through the 4x4 ``inverse``.

    Points beyond the outermost voxel centres take the value of the nearest one on the edge.
    """
    nx, ny, nz, nl = volume.shape
    index = np.empty(3, np.int64)
    part = np.empty(3)
    size = (nx, ny, nz)
    for n in range(points.shape[0]):
        for d in range(3):
            x = (
                inverse[d, 0] * points[n, 0]
                + inverse[d, 1] * points[n, 1]
                + inverse[d, 2] * points[n, 2]
                + inverse[d, 3]
            )
            x = min(max(x, 0.0), size[d] - 1.0)
            i = min(int(x), size[d] - 2)
            index[d] = i
            part[d] = x - i
        i, j, k = index
        u, v, w = part
        for m in range(nl):
            out[n, m] = 0.0
        for di in range(2):
            for dj in range(2):
                for dk in range(2):
                    weight = (
                        (u if di else 1.0 - u) * (v if dj else 1.0 - v) * (w if dk else 1.0 - w)
                    )
                    for m in range(nl):
                        out[n, m] += weight * volume[i + di, j + dj, k + dk, m]


@njit(cache=True, nogil=True)
def count_largest(values: Any, offsets: Any, width: float, count: Any, swaps: Any) -> None:
    """Count the rows of ``values`` (n, n_labels) whose largest column, offsets added, is each.

    ``swaps`` counts, by largest and second column, the rows within ``width`` of changing hands.
    """
    for n in range(values.shape[0]):
        best = other = 0
        top = second = -np.inf
        for m in range(values.shape[1]):
            f = values[n, m] + offsets[m]
            if f > top:
                second, other = top, best
                top, best = f, m
            elif f > second:
                second, other = f, m
        count[best] += 1
        if top - second < width:
            swaps[best, other] += 1


@njit(cache=True, nogil=True)
def neighbours(column: Any, n: int) -> Any:
    """Return which of ``n`` labels have voxels that share a face, an edge or a corner."""
    nx, ny, nz = column.shape
    near = np.zeros((n, n), np.bool_)
    for i in range(nx):
        for j in range(ny):
            for k in range(nz):
                a = column[i, j, k]
                # half of the 26 neighbours: those that come later
                for di in range(2):
                    for dj in range(-1 if di else 0, 2):
                        for dk in range(-1 if di or dj > 0 else 1, 2):
                            p, q, r = i + di, j + dj, k + dk
                            if p < nx and 0 <= q < ny and 0 <= r < nz:
                                b = column[p, q, r]
                                if b != a:
                                    near[a, b] = near[b, a] = True
    return near
