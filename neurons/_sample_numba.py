# mypy: allow-untyped-defs
"""Walk cells through a mesh and turn the field along them into potential rises (Numba)."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def place(centre, rotation, position, out):
    """Fill ``out`` (m, n, 3) with ``rotation[i] @ centre[c] + position[i]`` (m)."""
    for i in range(position.shape[0]):
        for c in range(centre.shape[0]):
            for a in range(3):
                out[i, c, a] = (
                    rotation[i, a, 0] * centre[c, 0]
                    + rotation[i, a, 1] * centre[c, 1]
                    + rotation[i, a, 2] * centre[c, 2]
                    + position[i, a]
                )


@njit(cache=True, nogil=True, error_model="numpy")
def rises_from_points(parent, points, E, inside, rise, outside):
    """Fill the potential rises of placements from the field at their compartments.

    ``points`` and ``E`` have shape (m, n, 3), ``inside`` (m, n); ``rise`` is (blocks, n, lanes),
    ``outside`` (m,). A point outside keeps the field of its parent.
    """
    lanes = rise.shape[2]
    for i in range(points.shape[0]):
        block, b = i // lanes, i % lanes
        rise[block, 0, b] = 0.0
        for c in range(points.shape[1]):
            p = parent[c]
            if not inside[i, c]:
                outside[i] += 1
                for a in range(3):
                    E[i, c, a] = E[i, p, a] if p >= 0 else 0.0
            if p >= 0:
                s = 0.0
                for a in range(3):
                    s += (E[i, c, a] + E[i, p, a]) * (points[i, c, a] - points[i, p, a])
                rise[block, c, b] = -0.5 * s


@njit(cache=True, nogil=True, error_model="numpy")
def rises_by_walk(
    nodes,
    tets,
    neighbours,
    split_of_tet,
    E,
    centre,
    parent,
    rotation,
    position,
    start,
    rise,
    outside,
):
    """Fill the potential rises of placements by walking each cell through the tetrahedra.

    The field is linear in a tetrahedron, so most compartments cost one affine map: only where a
    branch leaves its tetrahedron is the next one loaded. No search is done except the walk.

    Parameters
    ----------
    nodes, tets, neighbours
        Mesh: (n_nodes, 3); (n_tets, 4); neighbour opposite to vertex i or -1, (n_tets, 4).
    split_of_tet, E
        Field values (V/m) at split nodes, (n_tets, 4) and (n_split, 3).
    centre, parent
        Compartments, (n, 3) and (n,).
    rotation, position, start
        Placements, (m, 3, 3) and (m, 3), and the tetrahedron of each soma, -1 outside, (m,).
    rise, outside
        Filled: (blocks, n, lanes) in V, and the number of compartments outside, (m,).
    """
    n = centre.shape[0]
    lanes = rise.shape[2]
    x = np.empty((n, 3))
    e = np.empty((n, 3))
    origin = np.empty(3)
    inv = np.empty((3, 3))
    e0 = np.empty(3)
    de = np.empty((3, 3))
    d = np.empty((3, 3))
    bary = np.empty(4)
    for i in range(position.shape[0]):
        block, lane = i // lanes, i % lanes
        current = start[i]
        loaded = -1
        rise[block, 0, lane] = 0.0
        for c in range(n):
            for a in range(3):
                x[c, a] = (
                    rotation[i, a, 0] * centre[c, 0]
                    + rotation[i, a, 1] * centre[c, 1]
                    + rotation[i, a, 2] * centre[c, 2]
                    + position[i, a]
                )
            found = False
            if current >= 0:
                seed = np.uint32(12345 + c)
                for hop in range(400):
                    if current != loaded:
                        t0 = tets[current, 0]
                        s0 = split_of_tet[current, 0]
                        for a in range(3):
                            origin[a] = nodes[t0, a]
                            e0[a] = E[s0, a]
                        for j in range(3):
                            tj = tets[current, j + 1]
                            sj = split_of_tet[current, j + 1]
                            for a in range(3):
                                d[j, a] = nodes[tj, a] - origin[a]
                                de[j, a] = E[sj, a] - e0[a]
                        for j in range(3):
                            u = (j + 1) % 3
                            w = (j + 2) % 3
                            inv[j, 0] = d[u, 1] * d[w, 2] - d[u, 2] * d[w, 1]
                            inv[j, 1] = d[u, 2] * d[w, 0] - d[u, 0] * d[w, 2]
                            inv[j, 2] = d[u, 0] * d[w, 1] - d[u, 1] * d[w, 0]
                        det = d[0, 0] * inv[0, 0] + d[0, 1] * inv[0, 1] + d[0, 2] * inv[0, 2]
                        for j in range(3):
                            for a in range(3):
                                inv[j, a] /= det
                        loaded = current
                    bary[0] = 1.0
                    for j in range(3):
                        b = 0.0
                        for a in range(3):
                            b += inv[j, a] * (x[c, a] - origin[a])
                        bary[j + 1] = b
                        bary[0] -= b
                    low = 0
                    for j in range(1, 4):
                        if bary[j] < bary[low]:
                            low = j
                    if bary[low] >= -1e-9:
                        found = True
                        break
                    if (
                        hop > 50
                    ):  # a rare cycle: leave through any face that has the point behind it
                        seed = seed * np.uint32(1664525) + np.uint32(1013904223)
                        k = int(seed >> np.uint32(30))
                        for j in range(4):
                            q = (k + j) % 4
                            if bary[q] < -1e-9:
                                low = q
                                break
                    step = neighbours[current, low]
                    if step < 0:
                        break
                    current = step
            p = parent[c]
            if found:
                for a in range(3):
                    e[c, a] = e0[a] + bary[1] * de[0, a] + bary[2] * de[1, a] + bary[3] * de[2, a]
            else:
                outside[i] += 1
                for a in range(3):
                    e[c, a] = e[p, a] if p >= 0 else 0.0
            if p >= 0:
                s = 0.0
                for a in range(3):
                    s += (e[c, a] + e[p, a]) * (x[c, a] - x[p, a])
                rise[block, c, lane] = -0.5 * s
