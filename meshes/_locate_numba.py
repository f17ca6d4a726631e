"""Kernels that find the tetrahedron around a point."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True)
def pair_faces(tets: Any, order: Any, keys: Any, out: Any) -> None:
    """Fill ``out`` (n_tets, 4) with the neighbour opposite to each vertex from sorted face keys."""
    for n in range(order.size - 1):
        a, b = order[n], order[n + 1]
        if keys[a, 0] == keys[b, 0] and keys[a, 1] == keys[b, 1]:
            out[a // 4, a % 4] = b // 4
            out[b // 4, b % 4] = a // 4


@njit(cache=True)
def barycentric(
    nodes: Any, tets: Any, t: int, x: float, y: float, z: float
) -> tuple[float, float, float, float]:
    """Return the four barycentric coordinates of a point in tetrahedron ``t``."""
    a, b, c, d = tets[t, 0], tets[t, 1], tets[t, 2], tets[t, 3]
    ux, uy, uz = nodes[b, 0] - nodes[a, 0], nodes[b, 1] - nodes[a, 1], nodes[b, 2] - nodes[a, 2]
    vx, vy, vz = nodes[c, 0] - nodes[a, 0], nodes[c, 1] - nodes[a, 1], nodes[c, 2] - nodes[a, 2]
    wx, wy, wz = nodes[d, 0] - nodes[a, 0], nodes[d, 1] - nodes[a, 1], nodes[d, 2] - nodes[a, 2]
    px, py, pz = x - nodes[a, 0], y - nodes[a, 1], z - nodes[a, 2]
    # v x w, then the three triple products over their common determinant
    ax, ay, az = vy * wz - vz * wy, vz * wx - vx * wz, vx * wy - vy * wx
    det = ux * ax + uy * ay + uz * az
    b1 = (px * ax + py * ay + pz * az) / det
    bx, by, bz = wy * uz - wz * uy, wz * ux - wx * uz, wx * uy - wy * ux
    b2 = (px * bx + py * by + pz * bz) / det
    cx, cy, cz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    b3 = (px * cx + py * cy + pz * cz) / det
    return 1.0 - b1 - b2 - b3, b1, b2, b3


@njit(cache=True)
def walk(
    nodes: Any, tets: Any, neighbours: Any, start: int, p: Any
) -> tuple[int, float, float, float, float]:
    """Walk from tetrahedron ``start`` towards point ``p`` (visibility walk).

    Returns
    -------
    (t, b0, b1, b2, b3)
        The tetrahedron that holds ``p`` within 1e-10 and the barycentric coordinates there;
        ``t`` is -1 where the walk leaves the mesh, which near a non-convex boundary need not mean
        that ``p`` is outside.
    """
    t: Any = np.int64(start)
    previous = -1
    for _ in range(10000):
        b0, b1, b2, b3 = barycentric(nodes, tets, t, p[0], p[1], p[2])
        worst, side = b0, 0
        if b1 < worst:
            worst, side = b1, 1
        if b2 < worst:
            worst, side = b2, 2
        if b3 < worst:
            worst, side = b3, 3
        if worst >= -1e-10:
            return t, b0, b1, b2, b3
        following = neighbours[t, side]
        if following < 0 or following == previous:
            # leave through another face that also looks at the point
            following = -1
            lowest = -1e-10
            for i in range(4):
                b = b0 if i == 0 else b1 if i == 1 else b2 if i == 2 else b3
                near = neighbours[t, i]
                if b < lowest and near >= 0 and near != previous:
                    lowest = b
                    following = near
            if following < 0:
                return -1, b0, b1, b2, b3
        previous = t
        t = following
    return -1, 0.0, 0.0, 0.0, 0.0


@njit(cache=True)
def fill_boxes(
    nodes: Any, tets: Any, low: Any, cell: float, shape: Any, first: Any, members: Any
) -> None:
    """Bin tetrahedra into the grid boxes their bounding boxes touch.

    With empty ``members`` counts into ``first[1:]``; else ``first`` holds running positions.
    """
    fill = members.size > 0
    lo = np.empty(3, np.int64)
    hi = np.empty(3, np.int64)
    for t in range(tets.shape[0]):
        for d in range(3):
            least = greatest = nodes[tets[t, 0], d]
            for i in range(1, 4):
                x = nodes[tets[t, i], d]
                least = min(least, x)
                greatest = max(greatest, x)
            lo[d] = max(0, int((least - low[d]) / cell))
            hi[d] = min(shape[d] - 1, int((greatest - low[d]) / cell))
        for i in range(lo[0], hi[0] + 1):
            for j in range(lo[1], hi[1] + 1):
                for k in range(lo[2], hi[2] + 1):
                    box = (i * shape[1] + j) * shape[2] + k
                    if fill:
                        members[first[box]] = t
                        first[box] += 1
                    else:
                        first[box + 1] += 1


@njit(cache=True)
def locate(
    nodes: Any,
    tets: Any,
    neighbours: Any,
    low: Any,
    cell: float,
    shape: Any,
    first: Any,
    members: Any,
    start: Any,
    points: Any,
    found: Any,
    bary: Any,
) -> None:
    """Find the tetrahedron of each point: walk from ``start`` where >= 0, else search its box."""
    for n in range(points.shape[0]):
        p = points[n]
        found[n] = -1
        bary[n, :] = np.nan
        if start[n] >= 0:
            t, b0, b1, b2, b3 = walk(nodes, tets, neighbours, start[n], p)
            if t >= 0:
                found[n] = t
                bary[n, 0], bary[n, 1], bary[n, 2], bary[n, 3] = b0, b1, b2, b3
                continue
        inside = True
        box = 0
        for d in range(3):
            i = int(np.floor((p[d] - low[d]) / cell))
            inside = inside and 0 <= i < shape[d]
            box = box * shape[d] + i
        if not inside:
            continue
        best = -1e-9  # on a face shared by many, the tetrahedron that holds the point most
        for m in range(first[box], first[box + 1]):
            t = np.int64(members[m])
            b0, b1, b2, b3 = barycentric(nodes, tets, t, p[0], p[1], p[2])
            worst = min(min(b0, b1), min(b2, b3))
            if worst >= best:
                best = worst
                found[n] = t
                bary[n, 0], bary[n, 1], bary[n, 2], bary[n, 3] = b0, b1, b2, b3
                if worst > 0:
                    break


@njit(cache=True, nogil=True)
def tets_of(
    nodes: Any,
    tets: Any,
    low: Any,
    cell: float,
    shape: Any,
    first: Any,
    members: Any,
    points: Any,
    found: Any,
) -> None:
    """Find the tetrahedron of each point, -1 outside; that of the point before it is tried first.

    The boxes are those of `Locator`. Points in a row are near each other, so most searches are one
    test.
    """
    near: Any = np.int64(-1)  # a literal would compile what it is given to once more
    for n in range(points.shape[0]):
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        if near >= 0:
            b0, b1, b2, b3 = barycentric(nodes, tets, near, x, y, z)
            if min(min(b0, b1), min(b2, b3)) > 0.0:
                found[n] = near
                continue
        found[n] = -1
        fi, fj, fk = (x - low[0]) / cell, (y - low[1]) / cell, (z - low[2]) / cell
        if not (0.0 <= fi < shape[0] and 0.0 <= fj < shape[1] and 0.0 <= fk < shape[2]):
            continue
        box = (int(fi) * shape[1] + int(fj)) * shape[2] + int(fk)
        best = -1e-9  # on a face shared by many, the tetrahedron that holds the point most
        for m in range(first[box], first[box + 1]):
            t = np.int64(members[m])
            b0, b1, b2, b3 = barycentric(nodes, tets, t, x, y, z)
            worst = min(min(b0, b1), min(b2, b3))
            if worst >= best:
                best = worst
                found[n] = t
                if worst > 0.0:
                    break
        near = np.int64(found[n])
