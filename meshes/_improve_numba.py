"""Kernels of the guarded improvement: incidence, targets, quality, moves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True)
def node_materials(tets: Any, material: Any, n_nodes: int) -> Any:
    """Return up to four materials around each node, (n_nodes, 4), -1 where fewer, and how many.

    A node with more than four has the number 5.
    """
    found = np.full((n_nodes, 4), -1, np.int32)
    number = np.zeros(n_nodes, np.uint8)
    for t in range(tets.shape[0]):
        m = material[t]
        for i in range(4):
            v = tets[t, i]
            known = number[v] == 5
            for s in range(min(number[v], 4)):
                known = known or found[v, s] == m
            if not known:
                if number[v] < 4:
                    found[v, number[v]] = m
                number[v] += 1
    return found, number


@njit(cache=True)
def incidence(tets: Any, n_nodes: int) -> Any:
    """Return the tetrahedra around each node as offsets (n_nodes + 1,) and members."""
    first = np.zeros(n_nodes + 1, np.int64)
    for t in range(tets.shape[0]):
        for i in range(4):
            first[tets[t, i] + 1] += 1
    first = np.cumsum(first)
    at = first[:-1].copy()
    members = np.empty(4 * tets.shape[0], np.int32)
    for t in range(tets.shape[0]):
        for i in range(4):
            v = tets[t, i]
            members[at[v]] = t
            at[v] += 1
    return first, members


@njit(cache=True)
def tet_quality(a: Any, b: Any, c: Any, d: Any) -> float:
    """Return the smallest sine of the six dihedral angles, -1 if the volume is not > 0."""
    ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    vx, vy, vz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    wx, wy, wz = d[0] - a[0], d[1] - a[1], d[2] - a[2]
    # normals of the faces opposite to d, b, c and (their negative sum) a
    n0x, n0y, n0z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    n1x, n1y, n1z = vy * wz - vz * wy, vz * wx - vx * wz, vx * wy - vy * wx
    n2x, n2y, n2z = wy * uz - wz * uy, wz * ux - wx * uz, wx * uy - wy * ux
    if n0x * wx + n0y * wy + n0z * wz <= 0.0:
        return -1.0
    n3x, n3y, n3z = -n0x - n1x - n2x, -n0y - n1y - n2y, -n0z - n1z - n2z
    s0 = n0x * n0x + n0y * n0y + n0z * n0z
    s1 = n1x * n1x + n1y * n1y + n1z * n1z
    s2 = n2x * n2x + n2y * n2y + n2z * n2z
    s3 = n3x * n3x + n3y * n3y + n3z * n3z
    least = s0 * s1 * s2 * s3
    if not least > 0.0:
        return -1.0
    # cos^2 of each angle; the largest belongs to the smallest sine
    d01 = n0x * n1x + n0y * n1y + n0z * n1z
    d02 = n0x * n2x + n0y * n2y + n0z * n2z
    d03 = n0x * n3x + n0y * n3y + n0z * n3z
    d12 = n1x * n2x + n1y * n2y + n1z * n2z
    d13 = n1x * n3x + n1y * n3y + n1z * n3z
    d23 = n2x * n3x + n2y * n3y + n2z * n3z
    c2 = max(
        max(d01 * d01 / (s0 * s1), d02 * d02 / (s0 * s2), d03 * d03 / (s0 * s3)),
        max(d12 * d12 / (s1 * s2), d13 * d13 / (s1 * s3), d23 * d23 / (s2 * s3)),
    )
    return float(np.sqrt(max(0.0, 1.0 - c2)))


@njit(cache=True)
def qualities(nodes: Any, tets: Any) -> Any:
    """Return `tet_quality` of each tetrahedron."""
    out = np.empty(tets.shape[0])
    for t in range(tets.shape[0]):
        out[t] = tet_quality(
            nodes[tets[t, 0]], nodes[tets[t, 1]], nodes[tets[t, 2]], nodes[tets[t, 3]]
        )
    return out


@njit(cache=True)
def worst_around(nodes: Any, tets: Any, first: Any, members: Any, v: int, enough: float) -> float:
    """Return the worst quality around node ``v`` (stops early below ``enough``)."""
    worst = 2.0
    for m in range(first[v], first[v + 1]):
        t = members[m]
        q = tet_quality(nodes[tets[t, 0]], nodes[tets[t, 1]], nodes[tets[t, 2]], nodes[tets[t, 3]])
        if q < worst:
            worst = q
            if worst < enough:
                break
    return worst


@njit(cache=True)
def interior_targets(
    nodes: Any, tets: Any, first: Any, members: Any, walls: Any, which: Any, out: Any
) -> None:
    """Write the volume-weighted mean of the centroids around each node of ``which``."""
    for n in range(which.size):
        v = which[n]
        total = 0.0
        x = np.zeros(3)
        for m in range(first[v], first[v + 1]):
            t = members[m]
            a, b, c, d = nodes[tets[t, 0]], nodes[tets[t, 1]], nodes[tets[t, 2]], nodes[tets[t, 3]]
            ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
            vx, vy, vz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
            wx, wy, wz = d[0] - a[0], d[1] - a[1], d[2] - a[2]
            volume = (uy * vz - uz * vy) * wx + (uz * vx - ux * vz) * wy + (ux * vy - uy * vx) * wz
            total += volume
            for i in range(3):
                x[i] += 0.25 * volume * (a[i] + b[i] + c[i] + d[i])
        for i in range(3):
            out[n, i] = nodes[v, i] if walls[v] & (1 << i) else x[i] / total


@njit(cache=True)
def interface_sums(nodes: Any, triangles: Any, found: Any, number: Any, sums: Any, n: Any) -> None:
    """Add to each node of an interface its neighbours on it that share all of its materials."""
    for f in range(triangles.shape[0]):
        for i in range(3):
            v = triangles[f, i]
            if number[v] > 4:
                continue
            for step in range(1, 3):
                w = triangles[f, (i + step) % 3]
                if number[w] > 4:
                    continue
                shares = True
                for s in range(number[v]):
                    has = False
                    for r in range(number[w]):
                        has = has or found[v, s] == found[w, r]
                    shares = shares and has
                if shares:
                    n[v] += 1
                    for d in range(3):
                        sums[v, d] += nodes[w, d]


@njit(cache=True)
def relax(
    nodes: Any, tets: Any, first: Any, members: Any, which: Any, target: Any, whole: Any, floor: Any
) -> int:
    """Move nodes to their targets, in order, where the worst tetrahedron around allows it.

    A move is taken if the worst quality rises, or stays at or above ``floor``. Nodes that are not
    ``whole`` may also go half or a quarter of the way. Returns the number of moves.
    """
    moves = 0
    old = np.empty(3)
    for n in range(which.size):
        v = which[n]
        old[:] = nodes[v]
        if old[0] == target[n, 0] and old[1] == target[n, 1] and old[2] == target[n, 2]:
            continue
        before = worst_around(nodes, tets, first, members, v, -2.0)
        wanted = min(before, floor)
        part = 1.0
        for _ in range(1 if whole[n] else 3):
            for d in range(3):
                nodes[v, d] = old[d] + part * (target[n, d] - old[d])
            after = worst_around(nodes, tets, first, members, v, wanted)
            if after > before or after >= floor:
                moves += 1
                break
            nodes[v] = old
            part *= 0.5
    return moves
