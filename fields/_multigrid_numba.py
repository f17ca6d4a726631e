"""Kernels of block conjugate gradients and of the multigrid cycle on `WIDTH` columns (numba).

A block is an array (n, WIDTH), one right-hand side a column: an entry of the matrix is read once
for all of them. Columns of a matrix ascend in a row; ``diagonal`` holds the place of a_ii.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from rheobase.fields.multigrid import WIDTH


@njit(inline="always")
def row_times(start: int, stop: int, indices: Any, data: Any, x: Any) -> Any:
    """Return sum_k a_k x[j_k] over the places ``start`` to ``stop``, one number a column."""
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
    for k in range(start, stop):
        j, a = np.uint64(indices[k]), data[k]
        s0 += a * x[j, 0]
        s1 += a * x[j, 1]
        s2 += a * x[j, 2]
        s3 += a * x[j, 3]
        s4 += a * x[j, 4]
        s5 += a * x[j, 5]
        s6 += a * x[j, 6]
        s7 += a * x[j, 7]
    return s0, s1, s2, s3, s4, s5, s6, s7


@njit(cache=True, nogil=True)
def diagonal_places(indptr: Any, indices: Any) -> Any:
    """Return the place of the diagonal entry of each row."""
    place = np.empty(len(indptr) - 1, np.int32)
    for i in range(len(place)):
        for k in range(indptr[i], indptr[i + 1]):
            if indices[k] == i:
                place[i] = k
    return place


@njit(cache=True, nogil=True)
def product(indptr: Any, indices: Any, data: Any, x: Any, y: Any) -> None:
    """Write A x into ``y``."""
    for i in range(len(indptr) - 1):
        s = row_times(indptr[i], indptr[i + 1], indices, data, x)
        for c in range(WIDTH):
            y[i, c] = s[c]


@njit(cache=True, nogil=True)
def sweep_from_zero(indptr: Any, indices: Any, data: Any, diagonal: Any, b: Any, x: Any) -> None:
    """Write one forward Gauss-Seidel sweep from zero, (D + L) x = b, into ``x``."""
    for i in range(len(indptr) - 1):
        s = row_times(indptr[i], diagonal[i], indices, data, x)
        d = 1.0 / data[diagonal[i]]
        for c in range(WIDTH):
            x[i, c] = d * (b[i, c] - s[c])


@njit(cache=True, nogil=True)
def restrict_residual(
    indptr: Any,
    indices: Any,
    data: Any,
    diagonal: Any,
    p_indptr: Any,
    p_indices: Any,
    p_data: Any,
    x: Any,
    coarse: Any,
) -> None:
    """Write P^T (b - A x) into ``coarse`` after `sweep_from_zero`, where b - A x = -U x."""
    coarse[:] = 0.0
    for i in range(len(indptr) - 1):
        s = row_times(diagonal[i] + 1, indptr[i + 1], indices, data, x)
        for k in range(p_indptr[i], p_indptr[i + 1]):
            j, p = np.uint64(p_indices[k]), p_data[k]
            for c in range(WIDTH):
                coarse[j, c] -= p * s[c]


@njit(cache=True, nogil=True)
def prolong(p_indptr: Any, p_indices: Any, p_data: Any, coarse: Any, x: Any) -> None:
    """Add P coarse to ``x``."""
    for i in range(len(p_indptr) - 1):
        s = row_times(p_indptr[i], p_indptr[i + 1], p_indices, p_data, coarse)
        for c in range(WIDTH):
            x[i, c] += s[c]


@njit(cache=True, nogil=True)
def sweep_back(indptr: Any, indices: Any, data: Any, diagonal: Any, b: Any, x: Any) -> None:
    """Do one backward Gauss-Seidel sweep on ``x``."""
    for i in range(len(indptr) - 2, -1, -1):
        s = row_times(indptr[i], indptr[i + 1], indices, data, x)
        d = 1.0 / data[diagonal[i]]
        for c in range(WIDTH):
            x[i, c] += d * (b[i, c] - s[c])


@njit(cache=True, nogil=True)
def dots(x: Any, y: Any) -> Any:
    """Return the dot product of each column of two arrays (n, k), shape (k,)."""
    out = np.zeros(x.shape[1])
    for i in range(len(x)):
        for c in range(x.shape[1]):
            out[c] += x[i, c] * y[i, c]
    return out


@njit(cache=True, nogil=True)
def advance(alpha: Any, p: Any, q: Any, x: Any, r: Any) -> Any:
    """Add alpha p to ``x`` and -alpha q to ``r``, column by column; return r·r, shape (k,)."""
    out = np.zeros(x.shape[1])
    for i in range(len(x)):
        for c in range(x.shape[1]):
            x[i, c] += alpha[c] * p[i, c]
            r[i, c] -= alpha[c] * q[i, c]
            out[c] += r[i, c] * r[i, c]
    return out


@njit(cache=True, nogil=True)
def turn(beta: Any, z: Any, p: Any) -> None:
    """Replace ``p`` by z + beta p, column by column."""
    for i in range(len(p)):
        for c in range(p.shape[1]):
            p[i, c] = z[i, c] + beta[c] * p[i, c]
