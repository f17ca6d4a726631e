"""Kernel of `inside`: rays along +z against triangles in columns of a grid."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def columns_of_triangles(
    corners: Any, low: Any, cell: float, shape: Any, first: Any, members: Any
) -> None:
    """Count (``members`` empty) or list the triangles whose box touches each column of the grid.

    On filling, ``first`` holds where each column's list begins and is moved to its end.
    """
    fill = members.size > 0
    for t in range(corners.shape[0]):
        i0 = int((min(corners[t, 0, 0], corners[t, 1, 0], corners[t, 2, 0]) - low[0]) / cell)
        i1 = int((max(corners[t, 0, 0], corners[t, 1, 0], corners[t, 2, 0]) - low[0]) / cell)
        j0 = int((min(corners[t, 0, 1], corners[t, 1, 1], corners[t, 2, 1]) - low[1]) / cell)
        j1 = int((max(corners[t, 0, 1], corners[t, 1, 1], corners[t, 2, 1]) - low[1]) / cell)
        for i in range(i0, i1 + 1):
            for j in range(j0, j1 + 1):
                c = i * shape[1] + j
                if fill:
                    members[first[c]] = t
                    first[c] += 1
                else:
                    first[c + 1] += 1


@njit(cache=True, nogil=True)
def _right_of(ax: float, ay: float, bx: float, by: float, x: float, y: float) -> bool:
    """Return on which side of the edge a-b a point lies; the same edge always gives the same bits.

    The edge is taken from its lower end, so that the two triangles at it agree; a point on it
    counts as being on the right (as if moved by a hair along +x, then +y).
    """
    flip = ay > by or (ay == by and ax > bx)
    if flip:
        ax, ay, bx, by = bx, by, ax, ay
    side = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
    right = side <= 0.0 if by > ay else side < 0.0
    return right != flip


@njit(cache=True, nogil=True)
def crossings_above(
    points: Any,
    corners: Any,
    low: Any,
    cell: float,
    shape: Any,
    first: Any,
    members: Any,
    inside: Any,
) -> None:
    """Set ``inside`` where a ray along +z crosses the surface an odd number of times."""
    for p in range(points.shape[0]):
        x, y, z = points[p, 0], points[p, 1], points[p, 2]
        inside[p] = False
        i, j = int(np.floor((x - low[0]) / cell)), int(np.floor((y - low[1]) / cell))
        if i < 0 or j < 0 or i >= shape[0] or j >= shape[1]:
            continue
        c = i * shape[1] + j
        odd = False
        for k in range(first[c], first[c + 1]):
            a, b, d = corners[members[k], 0], corners[members[k], 1], corners[members[k], 2]
            s = _right_of(a[0], a[1], b[0], b[1], x, y)
            if s != _right_of(b[0], b[1], d[0], d[1], x, y):
                continue
            if s != _right_of(d[0], d[1], a[0], a[1], x, y):
                continue
            ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
            vx, vy, vz = d[0] - a[0], d[1] - a[1], d[2] - a[2]
            nz = ux * vy - uy * vx
            if nz == 0.0:
                continue
            nx, ny = uy * vz - uz * vy, uz * vx - ux * vz
            height = a[2] - (nx * (x - a[0]) + ny * (y - a[1])) / nz
            if height > z:
                odd = not odd
        inside[p] = odd
