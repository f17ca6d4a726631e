"""Kernels of the heat equation: mass matrices, thermal dose (numba)."""

from __future__ import annotations

from math import exp, expm1, log
from typing import Any

import numpy as np
from numba import njit

_LN2, _LN4 = log(2.0), log(4.0)


@njit(cache=True, nogil=True)
def mass_data(cells: Any, weight: Any, lumped: float, indptr: Any, indices: Any) -> Any:
    """Return the data of sum_c weight_c ∫_c phi_i phi_j / |c| on a pattern.

    ``cells`` are simplices of n vertices, shape (n_cells, n); the share ``lumped`` of the matrix
    has its rows summed on the diagonal.
    """
    n = cells.shape[1]
    data = np.zeros(len(indices))
    for c in range(len(cells)):
        part = (1.0 - lumped) * weight[c] / (n * (n + 1))
        for a in range(n):
            i = cells[c, a]
            for b in range(n):
                j = cells[c, b]
                lo, hi = indptr[i], indptr[i + 1]
                while hi - lo > 1:  # the place of column j: they ascend
                    mid = (lo + hi) // 2
                    if indices[mid] <= j:
                        lo = mid
                    else:
                        hi = mid
                data[lo] += part if a != b else 2.0 * part + lumped * weight[c] / n
    return data


@njit(cache=True, nogil=True)
def _equivalent(a: float, b: float, rate: float) -> Any:
    """Return the mean of exp(rate (T - 43)) for T linear from a to b."""
    x = rate * (b - a)
    first = exp(rate * (a - 43.0))
    if abs(x) < 1e-6:
        return first * (1.0 + 0.5 * x)
    return first * expm1(x) / x


@njit(cache=True, nogil=True)
def equivalent_share(a: float, b: float) -> Any:
    """Return the mean of R^(43 - T) for T (°C) linear from a to b."""
    if a > b:
        a, b = b, a
    if b < 43.0:
        return _equivalent(a, b, _LN4)
    if a >= 43.0:
        return _equivalent(a, b, _LN2)
    below = (43.0 - a) / (b - a)
    return below * _equivalent(a, 43.0, _LN4) + (1.0 - below) * _equivalent(43.0, b, _LN2)


@njit(cache=True, nogil=True)
def accumulate(start: Any, before: Any, after: Any, duration: float, dose: Any, peak: Any) -> None:
    """Add a step of ``duration`` (s) to the dose (min) and raise the peaks of the rise (K).

    The temperature of node i goes from start_i + before_i to start_i + after_i.
    """
    minutes = duration / 60.0
    for i in range(len(start)):
        dose[i] += minutes * equivalent_share(start[i] + before[i], start[i] + after[i])
        peak[i] = max(peak[i], after[i])
