"""Kernel that finds the nearest point of a triangulated surface through a tree of boxes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def _to_box(p: Any, low: Any, high: Any) -> float:
    """Return the squared distance from ``p`` to a box."""
    total = 0.0
    for d in range(3):
        gap = max(low[d] - p[d], p[d] - high[d], 0.0)
        total += gap * gap
    return total


@njit(cache=True, nogil=True)
def _to_triangle(p: Any, corners: Any, foot: Any) -> float:
    """Write the point of a triangle nearest to ``p``; return the squared distance.

    Regions of corners, edges and face as in Ericson, Real-Time Collision Detection (2005), 5.1.5.
    """
    d1 = d2 = ab2 = ac2 = abac = 0.0
    for d in range(3):
        ab = corners[1, d] - corners[0, d]
        ac = corners[2, d] - corners[0, d]
        ap = p[d] - corners[0, d]
        d1 += ab * ap
        d2 += ac * ap
        ab2 += ab * ab
        ac2 += ac * ac
        abac += ab * ac
    # the same products from the other two corners
    d3, d4 = d1 - ab2, d2 - abac
    d5, d6 = d1 - abac, d2 - ac2
    v = w = 0.0
    if d1 > 0.0 or d2 > 0.0:
        vc = d1 * d4 - d3 * d2
        vb = d5 * d2 - d1 * d6
        va = d3 * d6 - d5 * d4
        if d3 >= 0.0 and d4 <= d3:
            v = 1.0
        elif vc <= 0.0 and d1 >= 0.0 and d3 <= 0.0:
            v = d1 / (d1 - d3)
        elif d6 >= 0.0 and d5 <= d6:
            w = 1.0
        elif vb <= 0.0 and d2 >= 0.0 and d6 <= 0.0:
            w = d2 / (d2 - d6)
        elif va <= 0.0 and d4 - d3 >= 0.0 and d5 - d6 >= 0.0:
            w = (d4 - d3) / ((d4 - d3) + (d5 - d6))
            v = 1.0 - w
        else:
            total = va + vb + vc
            v = vb / total
            w = vc / total
    square = 0.0
    for d in range(3):
        a = corners[0, d]
        foot[d] = a + v * (corners[1, d] - a) + w * (corners[2, d] - a)
        square += (p[d] - foot[d]) ** 2
    return square


@njit(cache=True, nogil=True)
def nearest_on_surface(
    points: Any, corners: Any, low: Any, high: Any, children: Any, span: Any, foot: Any
) -> None:
    """Write for each point the nearest point of the surface.

    ``corners`` (n, 3, 3) are the triangles in the order of the tree; tree node ``i`` has the box
    ``low[i], high[i]`` and either two children or, where the first child is -1, the triangles
    ``span[i, 0]`` to ``span[i, 1]``.
    """
    stack = np.empty(64, np.int64)
    bound = np.empty(64)
    here = np.empty(3)
    for n in range(points.shape[0]):
        p = points[n]
        best = np.inf
        stack[0] = 0
        bound[0] = _to_box(p, low[0], high[0])
        depth = 1
        while depth > 0:
            depth -= 1
            if bound[depth] >= best:
                continue
            i = stack[depth]
            if children[i, 0] < 0:
                for t in range(span[i, 0], span[i, 1]):
                    square = _to_triangle(p, corners[t], here)
                    if square < best:
                        best = square
                        foot[n, 0], foot[n, 1], foot[n, 2] = here[0], here[1], here[2]
                continue
            first = children[i, 0]
            second = children[i, 1]
            to_first = _to_box(p, low[first], high[first])
            to_second = _to_box(p, low[second], high[second])
            if to_first < to_second:  # the nearer one is looked at first
                first, second = second, first
                to_first, to_second = to_second, to_first
            stack[depth] = first
            bound[depth] = to_first
            stack[depth + 1] = second
            bound[depth + 1] = to_second
            depth += 2
