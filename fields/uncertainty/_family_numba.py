"""Kernels of matrices sum_t sigma_t K_t, one set of conductivities a column (numba).

An entry is a column, a tissue and a value; ``ptr`` has the first entry of each row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def product(ptr: Any, column: Any, tissue: Any, value: Any, sigma: Any, x: Any, y: Any) -> None:
    """Write K(sigma_c) x_c into column c of ``y``: sigma (n_tissues, 8), x and y (n, 8)."""
    for i in range(len(ptr) - 1):
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
        for e in range(ptr[i], ptr[i + 1]):
            j, t, a = np.uint64(column[e]), np.uint64(tissue[e]), value[e]
            s0 += a * sigma[t, 0] * x[j, 0]
            s1 += a * sigma[t, 1] * x[j, 1]
            s2 += a * sigma[t, 2] * x[j, 2]
            s3 += a * sigma[t, 3] * x[j, 3]
            s4 += a * sigma[t, 4] * x[j, 4]
            s5 += a * sigma[t, 5] * x[j, 5]
            s6 += a * sigma[t, 6] * x[j, 6]
            s7 += a * sigma[t, 7] * x[j, 7]
        y[i, 0], y[i, 1], y[i, 2], y[i, 3] = s0, s1, s2, s3
        y[i, 4], y[i, 5], y[i, 6], y[i, 7] = s4, s5, s6, s7


@njit(cache=True, nogil=True)
def by_tissue(ptr: Any, column: Any, tissue: Any, value: Any, x: Any, y: Any) -> None:
    """Write K_t x into row t of ``y`` (n_tissues, n), x (n,)."""
    y[:] = 0.0
    for i in range(len(ptr) - 1):
        for e in range(ptr[i], ptr[i + 1]):
            y[tissue[e], i] += value[e] * x[column[e]]
