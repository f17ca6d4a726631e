"""Conjugate gradients for complex symmetric matrices, a block of right-hand sides in lock-step.

Reference: van der Vorst & Melissen, IEEE Trans Magn 26:706 (1990), doi:10.1109/20.106415 (COCG).
The preconditioner is one real, factored matrix P for all frequencies.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

_MAX_ITERATIONS = 300


def cocg(
    apply: Callable[[Complexes], Complexes],
    precondition: Callable[[Complexes], Complexes],
    r: Complexes,
    goal: Floats,
) -> tuple[Complexes, Floats, int]:
    """Return what to add to the start, so that the residual of each column is small.

    Parameters
    ----------
    apply
        Returns A p for p of shape (n, k).
    precondition
        Returns P^-1 r.
    r
        Residual b - A x at the start, shape (n, k).
    goal
        What the residual sqrt(r* P^-1 r) of each column is to reach, shape (k,).

    Returns
    -------
    step : ndarray, shape (n, k)
        Zero where the start is good enough.
    first : ndarray, shape (k,)
        Residual of the start.
    iterations : int
        Of all columns together.
    """
    step, p = np.zeros_like(r), np.zeros_like(r)
    rho = np.ones(r.shape[1], dtype=np.complex128)
    first = np.zeros(0)
    for iteration in range(_MAX_ITERATIONS):
        z = precondition(r)
        size = np.sqrt(np.maximum(np.einsum("nk,nk->k", r.conj(), z).real, 0.0))
        if iteration == 0:
            first = size
        active = size > goal
        if not active.any():
            return step, first, iteration
        before, rho = rho, np.einsum("nk,nk->k", r, z)
        p = z + np.where(active, rho / before, 0.0) * p if iteration else z
        q = apply(p)
        alpha = np.where(active, rho / np.einsum("nk,nk->k", p, q), 0.0)
        step += alpha * p
        r = r - alpha * q
    raise RuntimeError(f"no convergence in {_MAX_ITERATIONS} iterations")
