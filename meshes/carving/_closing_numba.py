"""Kernels that decide which lattice nodes hold thin layers together."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def between(samples: Any, pair: Any, third: Any, at: Any) -> None:
    """Find what lies between the ends of edges.

    Parameters
    ----------
    samples
        Materials at equal steps inside each edge, shape (n, k).
    pair
        Materials of its ends, shape (n, 2).
    third
        Written: the material of the longest run of samples that is neither, -1 if none.
    at
        Written: the middle of that run along the edge (0 to 1).
    """
    k = samples.shape[1]
    for n in range(samples.shape[0]):
        third[n] = -1
        longest = 0
        s = 0
        while s < k:
            e = s + 1
            while e < k and samples[n, e] == samples[n, s]:
                e += 1
            m = samples[n, s]
            if m != pair[n, 0] and m != pair[n, 1] and e - s > longest:
                longest = e - s
                third[n] = m
                at[n] = 0.5 * (s + e + 1) / (k + 1)
            s = e


@njit(cache=True, nogil=True)
def bit(material: int) -> np.int64:
    """Return the bit of a material; beyond 62 of them some share one."""
    return np.int64(1) << np.int64(material % 62)


@njit(cache=True, nogil=True)
def neighbour_bits(edges: Any, material: Any) -> Any:
    """Return the bits of the other materials at the ends of each node's edges."""
    near = np.zeros(material.size, np.int64)
    for n in range(edges.shape[0]):
        a, b = edges[n, 0], edges[n, 1]
        near[a] |= bit(material[b])
        near[b] |= bit(material[a])
    return near


@njit(cache=True, nogil=True)
def close(order: Any, edges: Any, third: Any, at: Any, reach: float, points: Any, bound: Any,
          near: Any, nodes: Any, material: Any, kept: Any) -> int:  # fmt: skip
    """Move one end of each edge into the material between its ends, nearest first.

    The farther end moves where the nearer one has neighbours (bits in ``near``) of yet another
    material, from which its own layer separates this one. Each node moves once, and by at most
    ``reach`` of the edge. Returns how many edges stay open: both ends are taken by other layers, or
    ``bound``.
    """
    still = 0
    for n in order:
        a, b = edges[n, 0], edges[n, 1]
        if (kept[a] and material[a] == third[n]) or (kept[b] and material[b] == third[n]):
            continue
        v, way = (a, at[n]) if at[n] <= 0.5 else (b, 1.0 - at[n])
        w = b if v == a else a
        known = bit(third[n]) | bit(material[a]) | bit(material[b])
        if near[v] & ~known and not near[w] & ~known and not kept[w] and not bound[w]:
            v, way = w, 1.0 - way
        if kept[v] or bound[v]:
            v, way = (b, 1.0 - way) if v == a else (a, 1.0 - way)
        if kept[v] or bound[v]:
            still += 1
            continue
        part = min(1.0, reach / way)
        for d in range(3):
            nodes[v, d] += part * (points[n, d] - nodes[v, d])
        material[v] = third[n]
        kept[v] = True
    return still


@njit(cache=True, nogil=True)
def thin_nodes(nodes: Any, material: Any, edges: Any, t: Any, limit: Any, kept: Any) -> None:
    """Keep the nodes that would snap although their material goes on to no side of them.

    These are the ones with cuts on two edges that leave them in nearly opposite directions (more
    than 120 degrees apart): a layer, which would have a hole there.
    """
    n_nodes = nodes.shape[0]
    first = np.zeros(n_nodes + 1, np.int64)
    for n in range(edges.shape[0]):
        first[edges[n, 0] + 1] += 1
        first[edges[n, 1] + 1] += 1
    for v in range(n_nodes):
        first[v + 1] += first[v]
    at = first[:-1].copy()
    around = np.empty(2 * edges.shape[0], np.int64)
    for n in range(edges.shape[0]):
        for s in range(2):
            v = edges[n, s]
            around[at[v]] = n
            at[v] += 1
    for v in range(n_nodes):
        if kept[v]:
            continue
        snaps = False
        for m in range(first[v], first[v + 1]):
            n = around[m]
            way = t[n] if edges[n, 0] == v else 1.0 - t[n]
            snaps = snaps or way < limit[n]
        if not snaps:
            continue
        for m in range(first[v], first[v + 1]):
            p = edges[around[m], 0] + edges[around[m], 1] - v
            for s in range(first[v], m):
                q = edges[around[s], 0] + edges[around[s], 1] - v
                if material[p] == material[q]:
                    continue
                dot = pp = qq = 0.0
                for d in range(3):
                    x, y = nodes[p, d] - nodes[v, d], nodes[q, d] - nodes[v, d]
                    dot += x * y
                    pp += x * x
                    qq += y * y
                if dot < -0.5 * np.sqrt(pp * qq):
                    kept[v] = True
                    break
            if kept[v]:
                break
