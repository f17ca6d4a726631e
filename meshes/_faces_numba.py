"""Kernels that find the faces of a mesh and who shares them, without sorting all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

#: Local vertices of the face opposite to each vertex, outward for a positive tetrahedron.
OUTWARD = np.array([[1, 2, 3], [0, 3, 2], [0, 1, 3], [0, 2, 1]], np.int64)


@njit(cache=True, nogil=True)
def face_table(tets: Any, n_nodes: int, on: Any) -> Any:
    """Return the faces whose three nodes are all ``on``, sorted: equal faces are neighbours.

    Parameters
    ----------
    tets
        Node indices, shape (n_tets, 4).
    n_nodes
        Number of nodes.
    on
        Flag of each node, shape (n_nodes,).

    Returns
    -------
    middle, high
        The second and the third node of each face in rising order, shape (n_faces,).
    face
        4 times its tetrahedron plus the vertex opposite to it, shape (n_faces,).
    first
        The faces whose lowest node is v are first[v] to first[v + 1], shape (n_nodes + 1,).
    """
    first = np.zeros(n_nodes + 1, np.int64)
    for t in range(tets.shape[0]):
        for i in range(4):
            a, b, c = tets[t, (i + 1) % 4], tets[t, (i + 2) % 4], tets[t, (i + 3) % 4]
            if on[a] and on[b] and on[c]:
                first[min(a, b, c) + 1] += 1
    for v in range(n_nodes):
        first[v + 1] += first[v]
    at = first[:-1].copy()
    total = first[n_nodes]
    middle, high = np.empty(total, np.int32), np.empty(total, np.int32)
    face = np.empty(total, np.int64)
    for t in range(tets.shape[0]):
        for i in range(4):
            a, b, c = tets[t, (i + 1) % 4], tets[t, (i + 2) % 4], tets[t, (i + 3) % 4]
            if not (on[a] and on[b] and on[c]):
                continue
            low, top = min(a, b, c), max(a, b, c)
            mid = a + b + c - low - top
            # insertion into the short list of this lowest node keeps it sorted
            n = at[low]
            while n > first[low] and (
                middle[n - 1] > mid or (middle[n - 1] == mid and high[n - 1] > top)
            ):
                middle[n], high[n], face[n] = middle[n - 1], high[n - 1], face[n - 1]
                n -= 1
            middle[n], high[n], face[n] = mid, top, 4 * t + i
            at[low] += 1
    return middle, high, face, first


@njit(cache=True, nogil=True)
def count_faces(middle: Any, high: Any, first: Any) -> Any:
    """Return how many faces of `face_table` occur once, and how many more than twice."""
    single = many = 0
    for v in range(first.size - 1):
        n = first[v]
        while n < first[v + 1]:
            m = n + 1
            while m < first[v + 1] and middle[m] == middle[n] and high[m] == high[n]:
                m += 1
            single += m - n == 1
            many += m - n > 2
            n = m
    return single, many


@njit(cache=True, nogil=True)
def interfaces(tets: Any, material: Any, n_nodes: int, on: Any) -> Any:
    """Return the faces between tetrahedra of different material.

    Parameters
    ----------
    tets, material
        The mesh; nodes of its interfaces must be ``on``.
    n_nodes, on
        As in `face_table`.

    Returns
    -------
    triangles
        Node indices, outward from the first material of the pair, shape (n, 3).
    pairs
        The two materials of each, lower first, shape (n, 2).
    """
    middle, high, face, first = face_table(tets, n_nodes, on)
    count = 0
    for n in range(1, face.size):
        same = middle[n] == middle[n - 1] and high[n] == high[n - 1]
        if same and material[face[n] // 4] != material[face[n - 1] // 4]:
            count += 1
    triangles = np.empty((count, 3), np.int32)
    pairs = np.empty((count, 2), np.int32)
    count = 0
    for v in range(first.size - 1):
        for n in range(first[v] + 1, first[v + 1]):
            if middle[n] != middle[n - 1] or high[n] != high[n - 1]:
                continue
            f, g = face[n - 1], face[n]
            if material[f // 4] == material[g // 4]:
                continue
            if material[f // 4] > material[g // 4]:
                f, g = g, f
            for i in range(3):
                triangles[count, i] = tets[f // 4, OUTWARD[f % 4, i]]
            pairs[count, 0], pairs[count, 1] = material[f // 4], material[g // 4]
            count += 1
    return triangles[:count], pairs[:count]


@njit(cache=True, nogil=True)
def measure(nodes: Any, tets: Any, smallest: Any) -> Any:
    """Write the smallest dihedral angle (°) of each tetrahedron; return totals over the mesh.

    Returns
    -------
    largest, low, mean, high, inverted
        Largest dihedral angle (°); shortest, mean and longest edge (m); number of tetrahedra
        whose volume is not > 0.
    """
    largest, low, high, total, inverted = 0.0, np.inf, 0.0, 0.0, 0
    p = np.empty((4, 3))
    normal = np.empty((4, 3))
    for t in range(tets.shape[0]):
        for i in range(4):
            for d in range(3):
                p[i, d] = nodes[tets[t, i], d]
        for i in range(4):
            a, b, c = OUTWARD[i]
            for d in range(3):
                e, f = (d + 1) % 3, (d + 2) % 3
                normal[i, d] = (p[b, e] - p[a, e]) * (p[c, f] - p[a, f]) - (p[b, f] - p[a, f]) * (
                    p[c, e] - p[a, e]
                )
        volume = 0.0
        for d in range(3):
            volume += normal[3, d] * (p[0, d] - p[3, d])
        if not volume > 0.0:
            inverted += 1
        least, most = 1.0, -1.0  # the angle is pi less the one between the outward normals
        for i in range(4):
            for j in range(i):
                dot = ni = nj = length = 0.0
                for d in range(3):
                    dot -= normal[i, d] * normal[j, d]
                    ni += normal[i, d] ** 2
                    nj += normal[j, d] ** 2
                    length += (p[i, d] - p[j, d]) ** 2
                length = np.sqrt(length)
                total += length
                low, high = min(low, length), max(high, length)
                cosine = dot / np.sqrt(ni * nj) if ni * nj > 0.0 else 1.0
                least, most = min(least, cosine), max(most, cosine)
        smallest[t] = np.degrees(np.arccos(min(most, 1.0)))
        largest = max(largest, np.degrees(np.arccos(max(least, -1.0))))
    return largest, low, total / (6 * max(tets.shape[0], 1)), high, inverted
