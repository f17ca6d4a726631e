"""Kernels for a tile of an octree that is known by its leaves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def fill_tile(leaves: Any, level: Any, corners: Any, centres: Any) -> Any:
    """Write leaves (cell and level in the tile's cells) into a tile; return its nodes.

    Leaves may stick out of the tile. ``corners`` and ``centres`` come as -1 and leave as node
    numbers; the nodes are returned in half cells of the tile, shape (n, 3).
    """
    n = level.shape
    for m in range(leaves.shape[0]):
        s = 1 << leaves[m, 3]
        x, y, z = leaves[m, 0], leaves[m, 1], leaves[m, 2]
        for i in range(max(x, 0), min(x + s, n[0])):
            for j in range(max(y, 0), min(y + s, n[1])):
                for k in range(max(z, 0), min(z + s, n[2])):
                    level[i, j, k] = leaves[m, 3]
        for i in (x, x + s):
            for j in (y, y + s):
                for k in (z, z + s):
                    if 0 <= i <= n[0] and 0 <= j <= n[1] and 0 <= k <= n[2]:
                        corners[i, j, k] = 0
        i, j, k = x + s // 2, y + s // 2, z + s // 2
        if s > 1:
            if 0 <= i <= n[0] and 0 <= j <= n[1] and 0 <= k <= n[2]:
                corners[i, j, k] = 0
        elif 0 <= i < n[0] and 0 <= j < n[1] and 0 <= k < n[2]:
            centres[i, j, k] = 0
    count = 0
    for grid in (corners, centres):
        flat = grid.ravel()
        for m in range(flat.size):
            if flat[m] == 0:
                flat[m] = count
                count += 1
    xyz = np.empty((count, 3), np.int32)
    for i in range(n[0] + 1):
        for j in range(n[1] + 1):
            for k in range(n[2] + 1):
                m = corners[i, j, k]
                if m >= 0:
                    xyz[m, 0], xyz[m, 1], xyz[m, 2] = 2 * i, 2 * j, 2 * k
                if i < n[0] and j < n[1] and k < n[2]:
                    m = centres[i, j, k]
                    if m >= 0:
                        xyz[m, 0], xyz[m, 1], xyz[m, 2] = 2 * i + 1, 2 * j + 1, 2 * k + 1
    return xyz
