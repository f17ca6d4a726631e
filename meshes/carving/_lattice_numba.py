"""Kernels that turn a balanced octree into the tetrahedra of a body-centred-cubic lattice."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True)
def mark_nodes(level: Any, corners: Any, centres: Any) -> Any:
    """Give a number to the corners and centres of all leaves; return doubled coordinates.

    ``corners`` (n+1 per axis) and ``centres`` (n per axis) come as -1 and leave as node indices.
    The centre of a leaf larger than one cell falls on a corner of the cell grid.
    """
    nx, ny, nz = level.shape
    for i in range(nx):
        for j in range(ny):
            for k in range(nz):
                s = 1 << level[i, j, k]
                if i % s or j % s or k % s:
                    continue
                for di in range(2):
                    for dj in range(2):
                        for dk in range(2):
                            corners[i + di * s, j + dj * s, k + dk * s] = 0
                if s == 1:
                    centres[i, j, k] = 0
                else:
                    corners[i + s // 2, j + s // 2, k + s // 2] = 0
    count = 0
    for grid in (corners, centres):
        flat = grid.ravel()
        for n in range(flat.size):
            if flat[n] == 0:
                flat[n] = count
                count += 1
    xyz = np.empty((count, 3), np.int32)
    for i in range(nx + 1):
        for j in range(ny + 1):
            for k in range(nz + 1):
                n = corners[i, j, k]
                if n >= 0:
                    xyz[n, 0], xyz[n, 1], xyz[n, 2] = 2 * i, 2 * j, 2 * k
                if i < nx and j < ny and k < nz:
                    n = centres[i, j, k]
                    if n >= 0:
                        xyz[n, 0], xyz[n, 1], xyz[n, 2] = 2 * i + 1, 2 * j + 1, 2 * k + 1
    return xyz


@njit(cache=True)
def _put(tets: Any, count: int, a: int, b: int, c: int, d: int, material: Any, xyz: Any) -> int:
    """Write one tetrahedron with positive orientation unless it lies in the background."""
    if material[a] == 0 and material[b] == 0 and material[c] == 0 and material[d] == 0:
        return count
    if tets.shape[0] > 0:
        ux = xyz[b, 0] - xyz[a, 0]
        uy = xyz[b, 1] - xyz[a, 1]
        uz = xyz[b, 2] - xyz[a, 2]
        vx = xyz[c, 0] - xyz[a, 0]
        vy = xyz[c, 1] - xyz[a, 1]
        vz = xyz[c, 2] - xyz[a, 2]
        wx = xyz[d, 0] - xyz[a, 0]
        wy = xyz[d, 1] - xyz[a, 1]
        wz = xyz[d, 2] - xyz[a, 2]
        det = (uy * vz - uz * vy) * wx + (uz * vx - ux * vz) * wy + (ux * vy - uy * vx) * wz
        tets[count, 0] = a
        tets[count, 1] = b
        if det > 0:
            tets[count, 2] = c
            tets[count, 3] = d
        else:
            tets[count, 2] = d
            tets[count, 3] = c
    return count + 1


@njit(cache=True)
def _between(corners: Any, xyz: Any, a: int, b: int) -> Any:
    """Return the node half-way between two corners, -1 if there is none."""
    i = (xyz[a, 0] + xyz[b, 0]) // 4
    j = (xyz[a, 1] + xyz[b, 1]) // 4
    k = (xyz[a, 2] + xyz[b, 2]) // 4
    return np.int64(corners[i, j, k])


@njit(cache=True)
def emit_tets(
    level: Any,
    corners: Any,
    centres: Any,
    material: Any,
    xyz: Any,
    begin: Any,
    end: Any,
    tets: Any,
) -> Any:
    """Write the tetrahedra of leaves (only count them if ``tets`` is empty).

    The leaves are those that begin in the cells from ``begin`` to before ``end``, shape (3,).

    Every leaf owns, for each of its faces, what lies between its centre and that face: shared
    with an equal neighbour (two centres and one face edge, emitted by the lower one), a pyramid
    cut in two towards a larger neighbour or the wall, eight tetrahedra towards smaller ones.
    """
    nx, ny, nz = level.shape
    shape = (nx, ny, nz)
    count: Any = np.int64(0)
    o = np.empty(3, np.int64)
    q = np.empty(3, np.int64)
    ring = np.empty(4, np.int64)
    for i in range(begin[0], end[0]):
        for j in range(begin[1], end[1]):
            for k in range(begin[2], end[2]):
                s = 1 << level[i, j, k]
                if i % s or j % s or k % s:
                    continue
                o[0], o[1], o[2] = i, j, k
                h = s // 2
                # all nodes are int64, so that _put is compiled once
                c = np.int64(centres[i, j, k] if s == 1 else corners[i + h, j + h, k + h])
                for axis in range(3):
                    u = (axis + 1) % 3
                    v = (axis + 2) % 3
                    for side in range(2):
                        # the cell just across the face
                        q[0], q[1], q[2] = i, j, k
                        q[axis] = o[axis] + (s if side else -1)
                        wall = q[axis] < 0 or q[axis] >= shape[axis]
                        other = 0
                        if not wall:
                            other = 1 << level[q[0], q[1], q[2]]
                            if other == s and side == 0:
                                continue
                        # the corners of the face, in ring order
                        for r in range(4):
                            q[0], q[1], q[2] = i, j, k
                            q[axis] += s * side
                            q[u] += s * (1 if r == 1 or r == 2 else 0)
                            q[v] += s * (1 if r >= 2 else 0)
                            ring[r] = corners[q[0], q[1], q[2]]
                        if not wall and other == s:
                            q[0], q[1], q[2] = i, j, k
                            q[axis] += s
                            if s == 1:
                                d = np.int64(centres[q[0], q[1], q[2]])
                            else:
                                d = np.int64(corners[q[0] + h, q[1] + h, q[2] + h])
                            for r in range(4):
                                a = ring[r]
                                b = ring[(r + 1) % 4]
                                m = -1
                                if s > 1:
                                    m = _between(corners, xyz, a, b)
                                if m >= 0:
                                    count = _put(tets, count, c, d, a, m, material, xyz)
                                    count = _put(tets, count, c, d, m, b, material, xyz)
                                else:
                                    count = _put(tets, count, c, d, a, b, material, xyz)
                        elif wall or other > s:
                            # the diagonal starts in the corner that is the larger face's centre
                            first = 0
                            for r in range(4):
                                a = ring[r]
                                pu = xyz[a, u] // 2
                                pv = xyz[a, v] // 2
                                if (pu // s) % 2 == 1 and (pv // s) % 2 == 1:
                                    first = r
                            for r in (1, 3):
                                a, b, e = ring[first], ring[(first + r) % 4], ring[(first + 2) % 4]
                                m0 = m1 = -1
                                if wall and s > 1:
                                    m0 = _between(corners, xyz, a, b)
                                    m1 = _between(corners, xyz, e, b)
                                # triangle a-b-e with optional midpoints on a-b and b-e
                                if m0 >= 0 and m1 >= 0:
                                    count = _put(tets, count, c, a, m0, e, material, xyz)
                                    count = _put(tets, count, c, m0, m1, e, material, xyz)
                                    count = _put(tets, count, c, m0, b, m1, material, xyz)
                                elif m0 >= 0:
                                    count = _put(tets, count, c, a, m0, e, material, xyz)
                                    count = _put(tets, count, c, m0, b, e, material, xyz)
                                elif m1 >= 0:
                                    count = _put(tets, count, c, a, b, m1, material, xyz)
                                    count = _put(tets, count, c, a, m1, e, material, xyz)
                                else:
                                    count = _put(tets, count, c, a, b, e, material, xyz)
                        else:
                            # smaller neighbours: face centre, corner, edge midpoint
                            q[0], q[1], q[2] = i, j, k
                            q[axis] += s * side
                            q[u] += h
                            q[v] += h
                            f = np.int64(corners[q[0], q[1], q[2]])
                            for r in range(4):
                                a = ring[r]
                                b = ring[(r + 1) % 4]
                                m = _between(corners, xyz, a, b)
                                count = _put(tets, count, c, f, a, m, material, xyz)
                                count = _put(tets, count, c, f, m, b, material, xyz)
    return count
