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
def _last_inside(parent, inside, held):
    """Fill ``held`` (n,) with the compartment itself or the next inside up the tree, else -1."""
    for c in range(len(parent)):
        held[c] = c if inside[c] else held[parent[c]] if parent[c] >= 0 else -1


@njit(cache=True, nogil=True, error_model="numpy")
def differences(parent, V, inside, rise):
    """Fill the rises from the potential at compartments; ``V``, ``rise`` (k, m, n).

    A point outside, ``inside`` (m, n), has the potential of the last one inside on its way.
    """
    held = np.empty(len(parent), dtype=np.int64)
    for i in range(V.shape[1]):
        _last_inside(parent, inside[i], held)
        for k in range(V.shape[0]):
            for c in range(len(parent)):
                p = held[parent[c]] if parent[c] >= 0 else -1
                rise[k, i, c] = V[k, i, held[c]] - V[k, i, p] if p >= 0 else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def integrals(parent, points, E, inside, rise):
    """Fill the rises from the field at compartments by the trapezoidal rule.

    ``points`` has shape (m, n, 3), ``E`` (k, m, n, 3), ``inside`` (m, n), ``rise`` (k, m, n). A
    point outside has the field of the last one inside on its way, or none.
    """
    held = np.empty(len(parent), dtype=np.int64)
    for i in range(points.shape[0]):
        _last_inside(parent, inside[i], held)
        for k in range(E.shape[0]):
            for c in range(len(parent)):
                p = parent[c]
                s = 0.0
                if p >= 0:
                    for a in range(3):
                        step = points[i, c, a] - points[i, p, a]
                        if held[c] >= 0:
                            s += E[k, i, held[c], a] * step
                        if held[p] >= 0:
                            s += E[k, i, held[p], a] * step
                rise[k, i, c] = -0.5 * s


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _to_cell(rotation, i, x, y, z):
    """Turn a vector of the head into the frame of placement ``i``."""
    return (
        rotation[i, 0, 0] * x + rotation[i, 1, 0] * y + rotation[i, 2, 0] * z,
        rotation[i, 0, 1] * x + rotation[i, 1, 1] * y + rotation[i, 2, 1] * z,
        rotation[i, 0, 2] * x + rotation[i, 1, 2] * y + rotation[i, 2, 2] * z,
    )


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _load(nodes, tets, split_of_tet, E, rotation, position, i, t, to_bary, field):
    """Fill the affine maps of tetrahedron ``t`` in the frame of placement ``i``.

    ``to_bary`` (4, 4) takes (x, y, z, 1) to barycentric coordinates, ``field`` (3, 4) to E.
    """
    d = np.empty((4, 3))
    e = np.empty((4, 3))
    for j in range(4):
        a = tets[t, j]
        s = split_of_tet[t, j]
        d[j, 0], d[j, 1], d[j, 2] = _to_cell(
            rotation,
            i,
            nodes[a, 0] - position[i, 0],
            nodes[a, 1] - position[i, 1],
            nodes[a, 2] - position[i, 2],
        )
        e[j, 0], e[j, 1], e[j, 2] = _to_cell(rotation, i, E[s, 0], E[s, 1], E[s, 2])
    for j in range(1, 4):
        for a in range(3):
            d[j, a] -= d[0, a]
    for j in range(1, 4):
        u = j % 3 + 1
        w = u % 3 + 1
        to_bary[j, 0] = d[u, 1] * d[w, 2] - d[u, 2] * d[w, 1]
        to_bary[j, 1] = d[u, 2] * d[w, 0] - d[u, 0] * d[w, 2]
        to_bary[j, 2] = d[u, 0] * d[w, 1] - d[u, 1] * d[w, 0]
    det = d[1, 0] * to_bary[1, 0] + d[1, 1] * to_bary[1, 1] + d[1, 2] * to_bary[1, 2]
    for a in range(3):
        to_bary[0, a] = 0.0
    to_bary[0, 3] = 1.0
    for j in range(1, 4):
        for a in range(3):
            to_bary[j, a] /= det
            to_bary[0, a] -= to_bary[j, a]
        to_bary[j, 3] = -(
            to_bary[j, 0] * d[0, 0] + to_bary[j, 1] * d[0, 1] + to_bary[j, 2] * d[0, 2]
        )
        to_bary[0, 3] -= to_bary[j, 3]
    for a in range(3):
        for k in range(4):
            field[a, k] = 0.0
            for j in range(4):
                field[a, k] += e[j, a] * to_bary[j, k]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def rises_by_walk(
    nodes,
    tets,
    neighbours,
    split_of_tet,
    known,
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

    The field is linear in a tetrahedron, so most compartments cost two affine maps, kept in the
    frame of the cell: only where a branch leaves its tetrahedron is the next one loaded. No search
    is done except the walk.

    Parameters
    ----------
    nodes, tets, neighbours
        Mesh: (n_nodes, 3); (n_tets, 4); neighbour opposite to vertex i or -1, (n_tets, 4).
    split_of_tet, known, E
        Field values (V/m) at split nodes, (n_tets, 4) and (n_split, 3), and whether a tetrahedron
        has them, (n_tets,): one without counts as outside.
    centre, parent
        Compartments, (n, 3) and (n,).
    rotation, position, start
        Placements, (m, 3, 3) and (m, 3), and the tetrahedron of each soma, -1 outside, (m,).
    rise, outside
        Filled: (blocks, n, lanes) in V, and the number of compartments outside, (m,).
    """
    n = centre.shape[0]
    lanes = rise.shape[2]
    e = np.empty((n, 3))
    to_bary = np.empty((4, 4))
    field = np.empty((3, 4))
    line = np.empty(n)
    for i in range(position.shape[0]):
        current = start[i]
        loaded = -1
        for c in range(n):
            x, y, z = centre[c, 0], centre[c, 1], centre[c, 2]
            p = parent[c]
            found = False
            if current >= 0:
                seed = np.uint32(12345 + c)
                for hop in range(400):
                    if current != loaded:
                        _load(
                            nodes,
                            tets,
                            split_of_tet,
                            E,
                            rotation,
                            position,
                            i,
                            current,
                            to_bary,
                            field,
                        )
                        loaded = current
                    b0 = to_bary[0, 0] * x + to_bary[0, 1] * y + to_bary[0, 2] * z + to_bary[0, 3]
                    b1 = to_bary[1, 0] * x + to_bary[1, 1] * y + to_bary[1, 2] * z + to_bary[1, 3]
                    b2 = to_bary[2, 0] * x + to_bary[2, 1] * y + to_bary[2, 2] * z + to_bary[2, 3]
                    b3 = 1.0 - b0 - b1 - b2
                    if min(min(b0, b1), min(b2, b3)) >= -1e-9:
                        found = True
                        break
                    low, least = 0, b0
                    if b1 < least:
                        low, least = 1, b1
                    if b2 < least:
                        low, least = 2, b2
                    if b3 < least:
                        low, least = 3, b3
                    if hop > 50:  # a rare cycle: leave by any face with the point behind it
                        seed = seed * np.uint32(1664525) + np.uint32(1013904223)
                        k = int(seed >> np.uint32(30))
                        for j in range(4):
                            q = (k + j) % 4
                            b = b0 if q == 0 else b1 if q == 1 else b2 if q == 2 else b3
                            if b < -1e-9:
                                low = q
                                break
                    step = neighbours[current, low]
                    if step < 0:
                        break
                    current = step
            if found and known[current]:
                ex = field[0, 0] * x + field[0, 1] * y + field[0, 2] * z + field[0, 3]
                ey = field[1, 0] * x + field[1, 1] * y + field[1, 2] * z + field[1, 3]
                ez = field[2, 0] * x + field[2, 1] * y + field[2, 2] * z + field[2, 3]
            else:
                outside[i] += 1
                ex, ey, ez = (e[p, 0], e[p, 1], e[p, 2]) if p >= 0 else (0.0, 0.0, 0.0)
            e[c, 0], e[c, 1], e[c, 2] = ex, ey, ez
            if p < 0:
                line[c] = 0.0
                continue
            line[c] = -0.5 * (
                (ex + e[p, 0]) * (x - centre[p, 0])
                + (ey + e[p, 1]) * (y - centre[p, 1])
                + (ez + e[p, 2]) * (z - centre[p, 2])
            )
        block, lane = i // lanes, i % lanes
        for c in range(n):
            rise[block, c, lane] = line[c]
