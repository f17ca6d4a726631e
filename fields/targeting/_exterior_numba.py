"""Kernel of potentials outside the head (numba)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

_BLOCK = 1024  # sources whose distances are held at a time


@njit(cache=True, nogil=True, fastmath=True)
def potential(points: Any, sources: Any, charges: Any, begin: int, end: int, out: Any) -> None:
    """Write sum_i q_i/|x - x_i| of several rows of charges (c, n) at points (m, 3): (c, m).

    Only the columns of the points from ``begin`` to before ``end`` are written.
    """
    n = len(sources)
    sx, sy, sz = sources[:, 0].copy(), sources[:, 1].copy(), sources[:, 2].copy()
    near = np.empty(_BLOCK)
    for i in range(begin, end):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        for c in range(len(charges)):
            out[c, i] = 0.0
        for first in range(0, n, _BLOCK):
            m = min(_BLOCK, n - first)
            for j in range(m):
                dx, dy, dz = x - sx[first + j], y - sy[first + j], z - sz[first + j]
                near[j] = 1.0 / np.sqrt(dx * dx + dy * dy + dz * dz)
            for c in range(len(charges)):
                total = 0.0
                for j in range(m):
                    total += near[j] * charges[c, first + j]
                out[c, i] += total
