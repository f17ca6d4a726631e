# mypy: allow-untyped-defs
"""Gather point functionals of the field into rows over split nodes (Numba)."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def gather(split_of_tet, n_split, tet, part, vector, first):
    """Return the rows sum of ``vector[j] · E(point j)``, each over the split nodes it needs.

    Parameters
    ----------
    split_of_tet, n_split
        Split node of each corner of each tetrahedron, (n_tets, 4), and their number.
    tet, part, vector
        Tetrahedron of each point (-1: the point does not count), its barycentric coordinates and
        the vector there, shapes (n,), (n, 4) and (n, 3).
    first
        Row r has the points ``first[r]`` to ``first[r + 1]``, shape (rows + 1,).

    Returns
    -------
    indptr, nodes, values : ndarray
        Row pointers (rows + 1,), split nodes (nnz,) and vectors (nnz, 3).
    """
    rows = len(first) - 1
    place = np.full(n_split, -1, np.int64)
    indptr = np.zeros(rows + 1, np.int64)
    nodes = np.empty(256, np.int64)
    values = np.empty((256, 3))
    used = 0
    for r in range(rows):
        begin = used
        for j in range(first[r], first[r + 1]):
            if tet[j] < 0:
                continue
            if used + 4 > len(nodes):
                more = np.empty(2 * len(nodes), np.int64)
                wider = np.empty((2 * len(values), 3))
                for k in range(used):  # a slice on the left would compile slowly
                    more[k] = nodes[k]
                    for d in range(3):
                        wider[k, d] = values[k, d]
                nodes, values = more, wider
            for a in range(4):
                s = split_of_tet[tet[j], a]
                if place[s] < begin:
                    place[s] = used
                    nodes[used] = s
                    values[used] = 0.0
                    used += 1
                for d in range(3):
                    values[place[s], d] += part[j, a] * vector[j, d]
        indptr[r + 1] = used
    return indptr, nodes[:used], values[:used]
