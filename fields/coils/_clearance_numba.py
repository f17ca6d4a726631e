"""Kernel that lifts points out of a closed surface (numba)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def _left(ax: float, ay: float, bx: float, by: float, px: float, py: float) -> bool:
    """Return whether p is left of the line from a to b.

    A p on the line is taken as if moved by an infinitesimal step along x and a far smaller one
    along y, so that a ray through an edge or a vertex crosses exactly one triangle around it; the
    ends are put in order first, so that both triangles of an edge see the same rounding.
    """
    swapped = bx < ax or (bx == ax and by < ay)
    if swapped:
        ax, ay, bx, by = bx, by, ax, ay
    turn = (bx - ax) * (py - ay) - (by - ay) * (px - ax)
    left = turn > 0 or (turn == 0 and (by < ay or (by == ay and bx > ax)))
    return left != swapped


@njit(cache=True, nogil=True)
def rise(points: Any, corners: Any, out: Any) -> None:
    """Write how far along +z each point is from leaving a closed surface, 0 outside, into ``out``.

    A point is inside where the ray along +z crosses the surface an odd number of times; it has left
    at the highest crossing. ``points`` (n, 3) are sorted by x; ``corners`` of the triangles have
    shape (m, 3, 3).
    """
    inside = np.zeros(len(points), np.bool_)
    out[:] = 0.0
    xs = points[:, 0].copy()
    for t in range(len(corners)):
        a, b, c = corners[t, 0], corners[t, 1], corners[t, 2]
        ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
        vx, vy, vz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        if nz == 0.0:
            continue
        low, high = min(a[1], b[1], c[1]), max(a[1], b[1], c[1])
        start = np.searchsorted(xs, min(a[0], b[0], c[0]))
        stop = np.searchsorted(xs, max(a[0], b[0], c[0]), side="right")
        for i in range(start, stop):
            x, y = points[i, 0], points[i, 1]
            if y < low or y > high:
                continue
            first = _left(a[0], a[1], b[0], b[1], x, y)
            if first != _left(b[0], b[1], c[0], c[1], x, y):
                continue
            if first != _left(c[0], c[1], a[0], a[1], x, y):
                continue
            above = a[2] - (nx * (x - a[0]) + ny * (y - a[1])) / nz - points[i, 2]
            if above > 0.0:
                inside[i] = not inside[i]
                out[i] = max(out[i], above)
    for i in range(len(points)):
        if not inside[i]:
            out[i] = 0.0
