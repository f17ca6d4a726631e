"""Kernel that lifts points out of a closed surface (numba)."""

from __future__ import annotations

from typing import Any

from numba import njit, prange


@njit(cache=True, nogil=True)
def _side(ax: float, ay: float, bx: float, by: float, px: float, py: float) -> bool:
    """Return whether p lies left of the line through a and b, the same seen from both sides."""
    if bx < ax or (bx == ax and by < ay):
        return not ((ax - bx) * (py - by) - (ay - by) * (px - bx) > 0)
    return (bx - ax) * (py - ay) - (by - ay) * (px - ax) > 0


@njit(cache=True, parallel=True, nogil=True)
def rise(points: Any, corners: Any, out: Any) -> None:
    """Write how far along +z each point is from leaving a closed surface, 0 outside, into ``out``.

    A point is inside where the ray along +z crosses the surface an odd number of times; it has left
    at the highest crossing. ``corners`` of the triangles have shape (n, 3, 3).
    """
    for i in prange(len(points)):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        inside = False
        top = z
        for t in range(len(corners)):
            a, b, c = corners[t, 0], corners[t, 1], corners[t, 2]
            if max(a[0], b[0], c[0]) < x or min(a[0], b[0], c[0]) > x:
                continue
            if max(a[1], b[1], c[1]) < y or min(a[1], b[1], c[1]) > y:
                continue
            first = _side(a[0], a[1], b[0], b[1], x, y)
            if first != _side(b[0], b[1], c[0], c[1], x, y):
                continue
            if first != _side(c[0], c[1], a[0], a[1], x, y):
                continue
            ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
            vx, vy, vz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
            nz = ux * vy - uy * vx
            if nz == 0.0:
                continue
            nx, ny = uy * vz - uz * vy, uz * vx - ux * vz
            height = a[2] - (nx * (x - a[0]) + ny * (y - a[1])) / nz
            if height > z:
                inside = not inside
                top = max(top, height)
        out[i] = top - z if inside else 0.0
