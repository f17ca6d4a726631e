"""Kernels of the partition of a mesh (numba)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True)
def graph_rows(first: int, stop: int, tets: Any, ptr: Any, around: Any) -> Any:
    """Return the nodes that share a tetrahedron with each of a range of nodes, itself left out.

    ``ptr`` and ``around`` are the tetrahedra of the nodes; returns row pointers and nodes.
    """
    seen = np.full(len(ptr) - 1, -1, np.int32)
    indptr = np.zeros(stop - first + 1, np.int32)
    indices = np.empty(0, np.int32)
    for fill in (False, True):
        seen[:] = -1
        n = 0
        for i in range(first, stop):
            seen[i] = i
            for k in range(ptr[i], ptr[i + 1]):
                for a in range(4):
                    j = tets[around[k], a]
                    if seen[j] != i:
                        seen[j] = i
                        if fill:
                            indices[n] = j
                        n += 1
            indptr[i - first + 1] = n
        if not fill:
            indices = np.empty(n, np.int32)
    return indptr, indices


@njit(cache=True)
def widen(tets: Any, of_node: Any, of_tet: Any, rings: int) -> None:
    """Widen sets of nodes, one bit each, by rings of tetrahedra.

    Afterwards ``of_node`` holds the nodes within ``rings`` edges of each set, and ``of_tet`` the
    tetrahedra that touch those within ``rings`` - 1.
    """
    for _ in range(rings):
        for t in range(len(tets)):
            of_tet[t] = (
                of_node[tets[t, 0]]
                | of_node[tets[t, 1]]
                | of_node[tets[t, 2]]
                | of_node[tets[t, 3]]
            )
        for t in range(len(tets)):
            for corner in range(4):
                of_node[tets[t, corner]] |= of_tet[t]
