"""Kernels of the guarded improvement: incidence, targets, quality, moves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def near(tets: Any, moving: Any) -> Any:
    """Return the tetrahedra with at least one ``moving`` node."""
    count = 0
    out = np.empty(tets.shape[0], np.int32)
    for t in range(tets.shape[0]):
        if moving[tets[t, 0]] or moving[tets[t, 1]] or moving[tets[t, 2]] or moving[tets[t, 3]]:
            out[count] = t
            count += 1
    return out[:count].copy()


@njit(cache=True, nogil=True)
def tet_quality(nodes: Any, a: int, b: int, c: int, d: int) -> float:
    """Return the smallest sine of the six dihedral angles, -1 if the volume is not > 0."""
    x, y, z = nodes[a, 0], nodes[a, 1], nodes[a, 2]
    ux, uy, uz = nodes[b, 0] - x, nodes[b, 1] - y, nodes[b, 2] - z
    vx, vy, vz = nodes[c, 0] - x, nodes[c, 1] - y, nodes[c, 2] - z
    wx, wy, wz = nodes[d, 0] - x, nodes[d, 1] - y, nodes[d, 2] - z
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
    if not s0 * s1 * s2 * s3 > 0.0:
        return -1.0
    # cos^2 of each angle; the largest belongs to the smallest sine
    d01 = n0x * n1x + n0y * n1y + n0z * n1z
    d02 = n0x * n2x + n0y * n2y + n0z * n2z
    d03 = n0x * n3x + n0y * n3y + n0z * n3z
    d12 = n1x * n2x + n1y * n2y + n1z * n2z
    d13 = n1x * n3x + n1y * n3y + n1z * n3z
    d23 = n2x * n3x + n2y * n3y + n2z * n3z
    i0, i1, i2, i3 = 1.0 / s0, 1.0 / s1, 1.0 / s2, 1.0 / s3
    c2 = max(
        max(d01 * d01 * i0 * i1, d02 * d02 * i0 * i2, d03 * d03 * i0 * i3),
        max(d12 * d12 * i1 * i2, d13 * d13 * i1 * i3, d23 * d23 * i2 * i3),
    )
    return float(np.sqrt(max(0.0, 1.0 - c2)))


@njit(cache=True, nogil=True)
def six_volumes(nodes: Any, a: int, b: int, c: int, d: int) -> float:
    """Return six times the signed volume."""
    x, y, z = nodes[a, 0], nodes[a, 1], nodes[a, 2]
    ux, uy, uz = nodes[b, 0] - x, nodes[b, 1] - y, nodes[b, 2] - z
    vx, vy, vz = nodes[c, 0] - x, nodes[c, 1] - y, nodes[c, 2] - z
    wx, wy, wz = nodes[d, 0] - x, nodes[d, 1] - y, nodes[d, 2] - z
    return float((uy * vz - uz * vy) * wx + (uz * vx - ux * vz) * wy + (ux * vy - uy * vx) * wz)


@njit(cache=True, nogil=True)
def _worth(nodes: Any, tets: Any, t: int, inside: bool) -> float:
    """Return `tet_quality`; of the background only whether it is positive matters."""
    a, b, c, d = tets[t, 0], tets[t, 1], tets[t, 2], tets[t, 3]
    if inside:
        return float(tet_quality(nodes, a, b, c, d))
    return 2.0 if six_volumes(nodes, a, b, c, d) > 0.0 else -1.0


@njit(cache=True, nogil=True)
def write_qualities(nodes: Any, tets: Any, inside: Any, out: Any) -> None:
    """Write `tet_quality` of each tetrahedron, 2 for a positive one that is not ``inside``."""
    for t in range(tets.shape[0]):
        out[t] = _worth(nodes, tets, t, inside[t])


@njit(cache=True, nogil=True)
def material_volumes(nodes: Any, tets: Any, material: Any, n: int) -> Any:
    """Return the volume of each of ``n`` materials (m³)."""
    out = np.zeros(n)
    for t in range(tets.shape[0]):
        v = six_volumes(nodes, tets[t, 0], tets[t, 1], tets[t, 2], tets[t, 3])
        out[material[t]] += v / 6.0
    return out


@njit(cache=True, nogil=True)
def interior_targets(
    nodes: Any, tets: Any, first: Any, members: Any, walls: Any, which: Any, out: Any
) -> None:
    """Write the volume-weighted mean of the centroids around each node of ``which``."""
    for n in range(which.size):
        v = which[n]
        total = x = y = z = 0.0
        for m in range(first[v], first[v + 1]):
            t = members[m]
            a, b, c, d = tets[t, 0], tets[t, 1], tets[t, 2], tets[t, 3]
            volume = six_volumes(nodes, a, b, c, d)
            total += volume
            x += 0.25 * volume * (nodes[a, 0] + nodes[b, 0] + nodes[c, 0] + nodes[d, 0])
            y += 0.25 * volume * (nodes[a, 1] + nodes[b, 1] + nodes[c, 1] + nodes[d, 1])
            z += 0.25 * volume * (nodes[a, 2] + nodes[b, 2] + nodes[c, 2] + nodes[d, 2])
        out[n, 0] = nodes[v, 0] if walls[v] & 1 else x / total
        out[n, 1] = nodes[v, 1] if walls[v] & 2 else y / total
        out[n, 2] = nodes[v, 2] if walls[v] & 4 else z / total


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def newton_steps(points: Any, gradient: Any, f: Any, walls: Any, most: float) -> None:
    """Move points one least-norm Gauss-Newton step towards the tie of their materials.

    ``gradient`` (n, k, 3) and ``f`` (n, k) are those of each point's materials (two to four); steps
    are at most ``most`` long and keep to the walls.
    """
    j = np.empty((3, 3))
    r, step = np.empty(3), np.empty(3)
    gram = np.empty((3, 3))
    k = f.shape[1] - 1
    for n in range(points.shape[0]):
        trace = 0.0
        for a in range(k):
            r[a] = f[n, a + 1] - f[n, 0]
            for d in range(3):
                on = walls[n] & (1 << d)
                j[a, d] = 0.0 if on else gradient[n, a + 1, d] - gradient[n, 0, d]
                trace += j[a, d] ** 2
        if not trace > 0.0:
            continue
        if k == 1:
            r[0] /= trace
        else:
            for a in range(k):
                for b in range(a + 1):
                    gram[a, b] = j[a, 0] * j[b, 0] + j[a, 1] * j[b, 1] + j[a, 2] * j[b, 2]
                gram[a, a] += 1e-3 * trace
            _solve(gram, r, k)
        square = 0.0
        for d in range(3):
            step[d] = 0.0
            for a in range(k):
                step[d] -= r[a] * j[a, d]
            square += step[d] * step[d]
        length = np.sqrt(square)
        part = min(1.0, most / length) if length > 0.0 else 0.0
        for d in range(3):
            points[n, d] += part * step[d]


@njit(cache=True, nogil=True)
def _solve(a: Any, x: Any, n: int) -> None:
    """Solve a positive definite system of ``n`` unknowns in place (Cholesky, lower half)."""
    for i in range(n):
        for j in range(i + 1):
            for k in range(j):
                a[i, j] -= a[i, k] * a[j, k]
            a[i, j] = np.sqrt(a[i, i]) if i == j else a[i, j] / a[j, j]
        for k in range(i):
            x[i] -= a[i, k] * x[k]
        x[i] /= a[i, i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            x[i] -= a[k, i] * x[k]
        x[i] /= a[i, i]


@njit(cache=True, nogil=True)
def relax(nodes: Any, tets: Any, inside: Any, q: Any, first: Any, members: Any, which: Any,
          target: Any, parts: int, floor: float) -> int:  # fmt: skip
    """Move nodes to their targets, in order, where the worst tetrahedron around allows it.

    A move is taken if the worst quality rises, or stays at or above ``floor``; else half of it and
    so on, ``parts`` attempts in all. ``q`` holds the quality of each tetrahedron and is kept.
    Returns the number of moves.
    """
    moves = 0
    fresh = np.empty(4096)
    for n in range(which.size):
        v = which[n]
        x, y, z = nodes[v, 0], nodes[v, 1], nodes[v, 2]
        if x == target[n, 0] and y == target[n, 1] and z == target[n, 2]:
            continue
        begin, end = first[v], first[v + 1]
        if end - begin > fresh.size:
            fresh = np.empty(2 * (end - begin))
        before = 2.0
        worst_at = begin
        for m in range(begin, end):
            if q[members[m]] < before:
                before = q[members[m]]
                worst_at = m
        wanted = min(before, floor)
        part = 1.0
        for _ in range(parts):
            nodes[v, 0] = x + part * (target[n, 0] - x)
            nodes[v, 1] = y + part * (target[n, 1] - y)
            nodes[v, 2] = z + part * (target[n, 2] - z)
            after = 2.0
            for s in range(end - begin):
                # the one that was the worst first: it mostly decides
                m = begin + s
                if s == 0:
                    m = worst_at
                elif m == worst_at:
                    m = begin
                t = members[m]
                fresh[m - begin] = _worth(nodes, tets, t, inside[t])
                after = min(after, fresh[m - begin])
                if after < wanted:
                    break
            if after > 0.0 and (after > before or after >= floor):
                for m in range(begin, end):
                    q[members[m]] = fresh[m - begin]
                moves += 1
                break
            nodes[v, 0], nodes[v, 1], nodes[v, 2] = x, y, z
            part *= 0.5
    return moves
